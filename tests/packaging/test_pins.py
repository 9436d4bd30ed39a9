"""What is installed is what requirements.txt says, and nothing else."""

import importlib.metadata as metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# Not of the environment: ourselves, and what comes with a new one.
OURS = {"mashnet", "pip"}


def here() -> dict[str, Version]:
    """Return name → version of the pins that hold on this Python and system."""
    valid = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate()]
    assert all(len(pin.specifier) == 1 for pin in valid)
    return {
        canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version) for pin in valid
    }


def installed() -> dict[str, Version]:
    found = metadata.distributions()
    return {canonicalize_name(d.metadata["Name"]): Version(d.version) for d in found}


def differences(pins: dict[str, Version], there: dict[str, Version]) -> dict[str, str]:
    """Return name → what is wrong with it; a build for another processor is the same version."""
    wrong = {name: "not in requirements.txt" for name in there.keys() - pins.keys() - OURS}
    wrong |= {name: "not installed" for name in pins.keys() - there.keys()}
    for name in pins.keys() & there.keys():
        if Version(pins[name].public) != Version(there[name].public):
            wrong[name] = f"{there[name]} is installed, {pins[name]} is pinned"
    return wrong


def test_the_environment_is_what_is_written_down() -> None:
    wrong = differences(here(), installed())
    assert not wrong, f"`make setup-all` mends these: {wrong}"


def test_every_way_to_differ_is_seen() -> None:
    pins = {"torch": Version("2.15.0"), "numpy": Version("2.4.6")}
    there = {"torch": Version("2.15.0+cpu"), "numpy": Version("2.5"), "ray": Version("1")}
    assert differences(pins, there) == {
        "numpy": "2.5 is installed, 2.4.6 is pinned",
        "ray": "not in requirements.txt",
    }
    assert differences({"torch": Version("2")}, {"mashnet": Version("0.1")}) == {
        "torch": "not installed"
    }


def test_every_pin_is_exact_and_names_no_address() -> None:
    for pin in PINS:
        assert pin.url is None, pin
        (specifier,) = pin.specifier
        assert specifier.operator == "==" and "*" not in specifier.version, pin
    text = (ROOT / "requirements.txt").read_text("utf-8") + (ROOT / "Makefile").read_text("utf-8")
    assert not re.search(r"https?://|--index|--extra-index|--find-links", text)


def test_pins_lie_within_the_ranges_of_the_project() -> None:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    asked = [*project["dependencies"], *groups["dev"]]
    asked += [text for extra in project["optional-dependencies"].values() for text in extra]
    pinned = here()
    for text in asked:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name != "mashnet":
            assert requirement.specifier.contains(pinned[name]), text


def test_no_resolver_can_pair_torch_with_a_torchaudio_that_does_not_load() -> None:
    ranges = {r.name: r.specifier for r in map(Requirement, PROJECT["project"]["dependencies"])}
    # Seen: 2.11.1 lacks a symbol of torch 2.11 and 2.12; beside 2.13, 2.14 and 2.15 it loads.
    for torch, torchaudio in (("2.11.0", "2.11.1"), ("2.12.1", "2.11.1"), ("2.15.0", "2.11.0")):
        both = ranges["torch"].contains(torch) and ranges["torchaudio"].contains(torchaudio)
        assert not both, (torch, torchaudio)
    for torch in ("2.13.0", "2.14.1", "2.15.0"):
        assert ranges["torch"].contains(torch) and ranges["torchaudio"].contains("2.11.1")
    assert not ranges["torch"].contains("2.16.0")
