"""How well and how fast Spleeter's two stems come apart.

python -m benchmarks.two_stems [songs=6] [seconds=25] [corpus=…] [speech=FOLDER]

The demo band's mixes; with `corpus`, a folder of songs in stems with meta.json (docs/data.md),
those that have vocals; with both, each recording of `speech` in turn over songs of the corpus, as
loud as the music. SDR is the energy of a stem over that of what is wrong in its estimate, in dB,
and the mean over songs; beside it, that of the mix taken for the estimate. Speed is seconds of song
per second of processor time, on one thread, without reading and writing files.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
import torch
from omegaconf import OmegaConf

from data_pipelines.separation.spleeter import TwoStems
from data_pipelines.separation.spleeter_network import SAMPLE_RATE_HZ
from data_pipelines.synth.song import synthesise_song
from mashnet.audio.io import AUDIO_SUFFIXES, read_audio

Pair = tuple[np.ndarray, np.ndarray]
"""A voice and the rest, each (2, samples)."""
VOICE = "vocals"


def demo_band(songs: int, seconds: float) -> Iterator[Pair]:
    """Yield what the demo band's singers and the others play."""
    for index in range(songs):
        song = synthesise_song(0, index)
        kept = slice(round(seconds * song.sample_rate))
        voice, mix = (
            _stereo(soxr.resample(sound[kept], song.sample_rate, SAMPLE_RATE_HZ)[None])
            for sound in (song.stems[VOICE], song.mix)
        )
        yield voice, mix - voice


def corpus_voices(corpus: Path, songs: int, seconds: float) -> Iterator[Pair]:
    """Yield the vocals of songs and their other stems."""
    found = (folder for folder in _songs(corpus) if (folder / f"{VOICE}.ogg").is_file())
    for folder in itertools.islice(found, songs):
        stems = _stems(folder, seconds)
        voice = stems.pop(VOICE)
        if voice.any() and stems:
            yield voice, np.sum(list(stems.values()), axis=0)


def spoken_over(corpus: Path, speech: Path, songs: int, seconds: float) -> Iterator[Pair]:
    """Yield speech, and songs of the corpus without vocals, at the same RMS level of -23 dBFS."""
    voices = sorted(path for path in speech.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES)
    without = [folder for folder in _songs(corpus) if not (folder / f"{VOICE}.ogg").is_file()]
    chosen = without[:: max(1, len(without) // songs)][:songs]
    for folder, path in zip(chosen, itertools.cycle(voices), strict=False):
        music = np.sum(list(_stems(folder, seconds).values()), axis=0)
        voice, _ = read_audio(path, sample_rate=SAMPLE_RATE_HZ, mono=True)
        voice = _stereo(np.resize(voice[0], music.shape[1])[None])
        yield _at_level(voice), _at_level(music)


def measured(model: TwoStems, pairs: Iterator[Pair]) -> dict[str, float]:
    """Return mean SDR of voice and rest, that of the mix in their place, and the speed."""
    rows, length_s, spent_s = [], 0.0, 0.0
    for voice, rest in pairs:
        mix = (voice + rest).astype(np.float32)
        began_s = time.process_time()
        stems = list(model.separated(iter([mix]), float(mix.mean(axis=0).std())))
        spent_s += time.process_time() - began_s
        length_s += mix.shape[1] / SAMPLE_RATE_HZ
        found = np.concatenate(stems, axis=-1)
        rows.append(
            [_sdr(voice, found[0]), _sdr(rest, found[1]), _sdr(voice, mix), _sdr(rest, mix)]
        )
    names = ("voice_db", "rest_db", "mix_as_voice_db", "mix_as_rest_db")
    means = dict(zip(names, np.mean(rows, axis=0).round(1).tolist(), strict=True))
    return {"songs": len(rows), **means, "s_per_s": round(length_s / spent_s, 1)}


def _sdr(true: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.square(true).sum() / np.square(true - found).sum()))


def _at_level(sound: np.ndarray) -> np.ndarray:
    return sound * (0.07 / np.sqrt(np.square(sound.mean(axis=0)).mean()))


def _songs(corpus: Path) -> list[Path]:
    return sorted(path.parent for path in corpus.rglob("meta.json"))


def _stems(folder: Path, seconds: float) -> dict[str, np.ndarray]:
    stems = {
        path.stem: _stereo(read_audio(path, sample_rate=SAMPLE_RATE_HZ, duration_s=seconds)[0])
        for path in sorted(folder.glob("*.ogg"))
    }
    length = min(stem.shape[1] for stem in stems.values())
    return {name: stem[:, :length] for name, stem in stems.items()}


def _stereo(sound: np.ndarray) -> np.ndarray:
    return np.repeat(sound, 2, axis=0) if sound.shape[0] == 1 else sound


def main(arguments: list[str]) -> None:
    """Print a JSON line for each kind of mix."""
    defaults = {"songs": 6, "seconds": 25.0, "corpus": None, "speech": None}
    settings = OmegaConf.merge(defaults, OmegaConf.from_dotlist(arguments))
    songs, seconds = int(settings.songs), float(settings.seconds)
    torch.set_num_threads(1)
    model = TwoStems()
    kinds = {"demo band": demo_band(songs, seconds)}
    if settings.corpus:
        corpus = Path(settings.corpus)
        kinds["vocals of the corpus"] = corpus_voices(corpus, songs, seconds)
        if settings.speech:
            speech = Path(settings.speech)
            kinds["speech over the corpus"] = spoken_over(corpus, speech, songs, seconds)
    for kind, pairs in kinds.items():
        print(json.dumps({"mixes": kind, **measured(model, pairs)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
