"""Spoiled bundles; those whose digests were made anew can be refused for what they mean alone."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file

Change = Callable[[Path], None]
WEIGHTS, CONFIG, CHECK = "model.safetensors", "config.yaml", "selfcheck.json"


def spoilers(canary: Path) -> list[tuple[str, Change]]:
    """Return name → what to do to the folder of a bundle.

    Args:
        canary: a file that payloads make where somebody executes them.
    """
    random = np.random.default_rng(60)
    found = [
        *_damage(random),
        *_weights(canary),
        *_configurations(canary),
        *_checks(),
        *_exchanged(),
    ]
    assert len({name for name, _ in found}) == len(found) == 94
    return found


def _damage(random: np.random.Generator) -> Iterator[tuple[str, Change]]:
    """Bits and ends, which digests tell, of each file that matters."""
    for name in (WEIGHTS, CONFIG, CHECK):
        for number in range(6):
            seed = int(random.integers(1 << 30))
            yield f"bit-{number}-{name}", lambda f, n=name, s=seed: _flip(f / n, s)
            yield f"cut-{number}-{name}", lambda f, n=name, s=seed: _cut(f / n, s)
        yield f"empty-{name}", lambda f, n=name: (f / n).write_bytes(b"")
        yield f"missing-{name}", lambda f, n=name: (f / n).unlink()


def _weights(canary: Path) -> Iterator[tuple[str, Change]]:
    def headed(header: bytes, length: int | None = None) -> Change:
        content = struct.pack("<Q", len(header) if length is None else length) + header
        return lambda f: signed(f, weights=content)

    def of(change: Callable[[dict[str, torch.Tensor]], None]) -> Change:
        def spoil(folder: Path) -> None:
            state = load_file(folder / WEIGHTS)
            change(state)
            save_file(state, folder / WEIGHTS)
            signed(folder)

        return spoil

    def first(value: float) -> Change:
        def spoil(state: dict[str, torch.Tensor]) -> None:
            next(v for v in state.values() if v.is_floating_point()).view(-1)[0] = value

        return of(spoil)

    yield "huge-header", headed(b"{}", (1 << 63) - 1)
    yield "header-of-4-gb", headed(b"{}", 1 << 32)
    yield "header-no-json", headed(b"{" * 5000)
    entry = {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}
    yield "terabytes", headed(json.dumps({"a": entry}).encode())
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    yield "overlapping", headed(json.dumps({"a": entry, "b": entry}).encode() + bytes(8))
    entry = {"dtype": "F32", "shape": [-1], "data_offsets": [8, 0]}
    yield "below-nothing", headed(json.dumps({"a": entry}).encode())
    yield "pickle", lambda f: signed(f, weights=pickled(canary))
    yield "nan", first(float("nan"))
    yield "infinity", first(float("inf"))
    yield "another-weight", first(1e3)
    yield "one-less", of(lambda state: state.pop("weights"))
    yield "one-more", of(lambda state: state.update(extra=torch.zeros(3)))
    yield "none-at-all", of(lambda state: state.clear())
    yield "other-names", of(lambda s: s.update({f"x{i}": s.pop(k) for i, k in enumerate(list(s))}))


def _configurations(canary: Path) -> Iterator[tuple[str, Change]]:
    def of(*path: str, to: Any) -> Change:
        def spoil(folder: Path) -> None:
            config = yaml.safe_load((folder / CONFIG).read_text())
            inside = config
            for name in path[:-1]:
                inside = inside[name]
            inside[path[-1]] = to
            (folder / CONFIG).write_text(yaml.safe_dump(config))
            signed(folder)

        return spoil

    for network in (
        "os",
        "../x",
        "subprocess",
        "mashnet.commands.hydra_program",
        "limits",
        "__init__",
        "",
        5,
        ["os"],
    ):
        yield f"network-{network}", of("model", "network", to=network)
    yield "network-other", of("model", "network", to="jepa")
    yield "width-10-12", of("model", "sizes", "width", to=10**12)
    yield "terms-unknown", of("model", "sizes", "terms", to=["os"] * 1000)
    yield "width-nan", of("model", "sizes", "width", to=float("nan"))
    yield "channels-text", of("model", "sizes", "terms", to="wide")
    yield "window-10-9-s", of("model", "frontend", "window_s", to=1e9)
    yield "rate-0", of("model", "frontend", "sample_rate", to=0)
    yield "rate-1-ghz", of("model", "frontend", "sample_rate", to=10**9)
    yield "sizes-list", of("model", "sizes", to=[1, 2])
    yield "unknown-size", of("model", "sizes", "shell", to="rm")
    for name, text in yaml_payloads(canary).items():
        yield f"yaml-{name}", lambda f, t=text: signed(f, config=t)


def yaml_payloads(canary: Path) -> dict[str, str]:
    """Return texts that make a careless reader run a program, or fill its memory."""
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    return {
        "apply": f"model: !!python/object/apply:os.system ['touch {canary}']",
        "new": f"model: !!python/object/new:os.system ['touch {canary}']",
        "module": "model: !!python/module:antigravity",
        "laughs": f"a0: &a0 [x]\n{laughs}\nmodel: {{network: x, sizes: *a9, frontend: {{}}}}",
        "deep": "[" * 50_000,
        "long": "model: " + "x" * 300_000,
    }


def _checks() -> Iterator[tuple[str, Change]]:
    def of(change: Callable[[dict[str, Any]], Any]) -> Change:
        def spoil(folder: Path) -> None:
            check = json.loads((folder / CHECK).read_text())
            change(check)
            (folder / CHECK).write_text(json.dumps(check))

        return spoil

    yield "score-lies", of(lambda c: c.update(score=c["score"] + 0.5))
    yield "score-nan", of(lambda c: c.update(score=float("nan")))
    yield "score-text", of(lambda c: c.update(score="high"))
    yield "tolerance-of-everything", of(lambda c: c.update(tolerance=1e9))
    yield "tolerance-nan", of(lambda c: c.update(tolerance=float("nan")))
    yield "probe-of-years", of(lambda c: c["recipe"].update(duration_s=1e9))
    yield "probe-1-ghz", of(lambda c: c["recipe"].update(sample_rate=10**9))
    yield "probe-without-beat", of(lambda c: c["recipe"].update(beat_s=0))
    yield "no-recipe", of(lambda c: c.pop("recipe"))
    yield "no-digests", of(lambda c: c.pop("sha256"))
    yield "check-deep", lambda f: (f / CHECK).write_text("[" * 100_000)


def _exchanged() -> Iterator[tuple[str, Change]]:
    yield "config-is-weights", lambda f: (f / CONFIG).write_bytes((f / WEIGHTS).read_bytes())
    yield "weights-are-config", lambda f: (f / WEIGHTS).write_bytes((f / CONFIG).read_bytes())


def signed(folder: Path, weights: bytes | None = None, config: str | None = None) -> None:
    """Replace files, and make the digests right again."""
    if weights is not None:
        (folder / WEIGHTS).write_bytes(weights)
    if config is not None:
        (folder / CONFIG).write_text(config)
    check = json.loads((folder / CHECK).read_text())
    for name in (WEIGHTS, CONFIG):
        check["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / CHECK).write_text(json.dumps(check))


def pickled(canary: Path) -> bytes:
    """Return a pickle, in its own small language, that makes the canary where it is loaded."""
    return b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."


def _flip(path: Path, seed: int) -> None:
    content = bytearray(path.read_bytes())
    content[seed % len(content)] ^= 1 << seed % 8
    path.write_bytes(content)


def _cut(path: Path, seed: int) -> None:
    path.write_bytes(path.read_bytes()[: seed % path.stat().st_size])
