"""AlignNet: the alignment rule as a network, which starts with more terms and learns from there.

Every term of a score is the inner product of two vectors of unit length, one of each side, that
keep their place in time:

    onset            onset strength, filtered: do things happen at the same moments?
    metre            autocorrelation of that, lags up to 2.5 s: the same tempo and metre?
    long_metre       the same, lags of 2.5 to 6 s: bars
    faint_onset      the same two of square roots, so that faint strokes count beside loud ones
    faint_metre
    events           channels of a small convolutional network over onsets per band
    event_metre      their autocorrelations
    key              mean pitch classes
    harmony          pitch classes frame by frame
    change           how much the pitches change at each moment
    tones            pitch classes frame by frame of what lasts, without strokes
    tone_key         their mean over time
    chords           channels of a small network over pitches, the same for all transpositions
    chord_key        their means over time

A term counts as much as the kinds of sound on both sides let it
(mashnet/models/stems/confidence.py).

The rule has four of them, weighed 12 : 12 : 4.5 : 4.5 (onset, metre, key, harmony). With those
weights, the others at zero, filters that do nothing and equal confidence in every sound a network
scores exactly as the rule does of sounds all of whose parts are pitched. (The rule is told which
parts are pitched and leaves percussion out of its pitch classes; the network hears one sound and
has to do without.) A new network has better weights than those, see `START`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mashnet.audio.descriptors import CHROMA_RATE, LAGS_S, ONSET_RATE, SAMPLE_RATE
from mashnet.audio.onset_and_pitch import OnsetAndPitch
from mashnet.errors import require_one_of
from mashnet.models.stems.align_layers import (
    Chords,
    Events,
    TimeFilter,
    autocorrelation,
    centred,
    change_of,
    moved_in_pitch,
    moved_in_time,
    of_length,
    pitch_classes,
    tonal,
    unit,
)
from mashnet.models.stems.confidence import Confidence, figures_of
from mashnet.models.stems.scoring import Batch, ContrastiveNetwork, StemScorer

TERMS = (
    "onset",
    "metre",
    "long_metre",
    "faint_onset",
    "faint_metre",
    "events",
    "event_metre",
    "key",
    "harmony",
    "change",
    "tones",
    "tone_key",
    "chords",
    "chord_key",
)
_OF_EVENTS = {"events", "event_metre"}
_OF_CHORDS = {"chords", "chord_key"}
# What helps on songs that were not trained on. The four of small networks fit training songs ever
# better and others ever worse: on some 80 songs they learn songs (docs/results/missing_stem.md).
DEFAULT = tuple(term for term in TERMS if term not in _OF_EVENTS | _OF_CHORDS)
# What the terms of a new network weigh; found by hand on training songs
# (docs/results/missing_stem.md).
START = {
    "onset": 9.0,
    "metre": 3.5,
    "long_metre": 3.0,
    "faint_onset": 2.0,
    "faint_metre": 1.5,
    "key": 1.0,
    "harmony": 3.5,
    "change": 3.5,
    "tones": 3.5,
}
LONGEST_LAG_S = 6.0
MOST_SEMITONES = 6
TURN = (0.02, 0.98)  # by what share of a chunk a target is turned round
_START_SCALE = 15.0  # of scores: the first loss is neither flat nor sure of itself


class AlignNet(ContrastiveNetwork):
    """Both sides through the same layers; the terms' weights are the context's.

    Training adds targets that would have fitted had they not been moved in time, or in pitch, by
    the network itself; other songs alone would teach it to recognise songs.
    """

    sample_rate = SAMPLE_RATE
    windows_meet = True

    def __init__(
        self,
        *,
        window_s: float = 10.0,
        terms: Sequence[str] = DEFAULT,
        channels: int = 4,
        width: int = 32,
        filter_s: float = 0.5,
        dropout: float = 0.2,
        moved_negatives: bool = True,
        pool_over_time: bool = False,
        confidence: bool = True,
    ) -> None:
        """Set the sizes.

        Args:
            window_s: longest sound in one vector, in seconds.
            terms: those of `TERMS` that count.
            channels: of events and of chords.
            width: of the hidden layers.
            filter_s: how far the filter of onset strengths reaches to either side.
            dropout: share of hidden numbers and of figures of confidence dropped in training.
            moved_negatives: whether training adds moved targets.
            pool_over_time: whether terms that keep their place in time are averaged over it, to
                see what that takes away.
            confidence: whether the kind of sound decides how much each term counts for it.

        Raises:
            ConfigError: if there is no such term.
        """
        super().__init__()
        self.terms = tuple(require_one_of("terms", term, TERMS) for term in terms)
        self.moved_negatives = moved_negatives
        self.pool_over_time = pool_over_time
        self.num_onsets = round(window_s * ONSET_RATE)
        self.num_pitches = round(window_s * CHROMA_RATE)
        self.analyse = OnsetAndPitch()
        self.filter = TimeFilter(round(filter_s * ONSET_RATE))
        self.faint_filter = TimeFilter(round(filter_s * ONSET_RATE))
        heard = set(self.terms)
        self.events = Events(channels, width, dropout) if heard & _OF_EVENTS else None
        self.chords = Chords(channels, width, dropout) if heard & _OF_CHORDS else None
        self.confidence = confidence
        self.of_context = Confidence(len(self.terms), dropout)
        self.of_target = Confidence(len(self.terms), dropout)
        known = {term: START[term] for term in self.terms if term in START}
        start = [known.get(term, 0.0 if known else 1.0) for term in self.terms]
        self.weights = nn.Parameter(torch.tensor(start) / sum(start))
        self.log_scale = nn.Parameter(torch.tensor(_START_SCALE).log())

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts (n, d) and targets (n or 2n, d), the later ones moved."""
        size = len(batch["context"])
        # The score is a matter of small differences, and of transforms that half precision has not.
        with torch.autocast(batch["context"].device.type, enabled=False):
            return self._encoded(torch.cat([batch["context"], batch["target"]]), size)

    def _encoded(self, waves: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        onsets, pitches = self.analyse(waves)
        found = self._terms(onsets, pitches)
        contexts = self._as_contexts([vectors[:size] for vectors in found])
        targets = self._as_targets([vectors[size:] for vectors in found])
        if self.training and self.moved_negatives:
            moved = self._terms(*_moved_apart(onsets[size:], pitches[size:]))
            targets = torch.cat([targets, self._as_targets(moved)])
        return contexts, targets

    def loss(
        self, contexts: torch.Tensor, targets: torch.Tensor, ignore: torch.Tensor
    ) -> torch.Tensor:
        """Return the cross-entropy of partners, asked from both sides.

        Moved targets stand among those that a context chooses from; they ask for nothing.
        """
        size = len(contexts)
        with torch.autocast(contexts.device.type, enabled=False):
            products = contexts @ targets.T
        logits = (products * self.log_scale.exp()).masked_fill(ignore, -torch.inf)
        partners = torch.arange(size, device=logits.device)
        forth = functional.cross_entropy(logits, partners)
        back = functional.cross_entropy(logits[:, :size].T, partners)
        return (forth + back) / 2

    def embed_context(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Return vectors (batch, d), their terms weighed; instruments make no difference."""
        return self._as_contexts(self._terms(*self.analyse(waves)))

    def embed_target(self, waves: torch.Tensor) -> torch.Tensor:
        """Return vectors (batch, d)."""
        return self._as_targets(self._terms(*self.analyse(waves)))

    def _terms(self, onsets: torch.Tensor, pitches: torch.Tensor) -> list[torch.Tensor]:
        """Return the unit vectors of every term, (batch, d) each, then what kind of sound it is."""
        onsets, pitches = onsets[..., : self.num_onsets], pitches[..., : self.num_pitches]
        strength = centred(self.filter(centred(onsets.mean(1))))
        faint = centred(self.faint_filter(centred(_root(onsets.mean(1)))))
        classes = pitch_classes(pitches)
        found = {
            "onset": self._placed(strength, self.num_onsets),
            "metre": unit(autocorrelation(strength, *LAGS_S)),
            "long_metre": unit(autocorrelation(strength, LAGS_S[1], LONGEST_LAG_S)),
            "faint_onset": self._placed(faint, self.num_onsets),
            "faint_metre": unit(autocorrelation(faint, *LAGS_S)),
            "key": unit(centred(classes.mean(-1))),
            "harmony": self._placed(centred(classes, 1), self.num_pitches),
            "change": self._placed(change_of(pitches), self.num_pitches),
        }
        tones = tonal(pitches)
        tone_classes = pitch_classes(tones)
        found["tones"] = self._placed(centred(tone_classes, 1), self.num_pitches)
        found["tone_key"] = unit(centred(tone_classes.mean(-1)))
        if self.events is not None:
            events = self.events(onsets)
            found["events"] = self._placed(events, self.num_onsets)
            found["event_metre"] = unit(autocorrelation(events, *LAGS_S))
        if self.chords is not None:
            chords = self.chords(pitches)
            found["chords"] = self._placed(chords, self.num_pitches)
            found["chord_key"] = unit(chords.mean(-1))
        return [*(found[term] for term in self.terms), figures_of(onsets, pitches, tones)]

    def _placed(self, frames: torch.Tensor, count: int) -> torch.Tensor:
        """Return the unit vector of features in time, (batch, d), silence to the window's end."""
        if self.pool_over_time:
            return unit(frames.abs().mean(-1, keepdim=True))
        return unit(of_length(frames, count))

    def _as_contexts(self, found: Sequence[torch.Tensor]) -> torch.Tensor:
        """Put vectors behind each other, each times its term's weight, then offset and one."""
        *vectors, figures = found
        factors, offsets = self._confidence(self.of_context, figures)
        weighed = [
            w * v for w, v in zip((self.weights * factors).split(1, 1), vectors, strict=True)
        ]
        return torch.cat([*weighed, offsets, torch.ones_like(offsets)], 1)

    def _as_targets(self, found: Sequence[torch.Tensor]) -> torch.Tensor:
        """Put vectors behind each other, then one and offset: the product adds both offsets."""
        *vectors, figures = found
        factors, offsets = self._confidence(self.of_target, figures)
        weighed = [f * v for f, v in zip(factors.split(1, 1), vectors, strict=True)]
        return torch.cat([*weighed, torch.ones_like(offsets), offsets], 1)

    def _confidence(
        self, of_side: Confidence, figures: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return factors (batch, terms) and offsets (batch, 1)."""
        if self.confidence:
            return of_side(figures)
        return figures.new_ones(len(figures), len(self.terms)), figures.new_zeros(len(figures), 1)


def _root(x: torch.Tensor) -> torch.Tensor:
    """Return square roots; what is nearly nothing stays so."""
    return x.clamp_min(1e-6).sqrt()


def _moved_apart(onsets: torch.Tensor, pitches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Move targets so that they no longer fit: half of them in time, the others in pitch."""
    size = len(onsets)
    in_time = torch.arange(size, device=onsets.device) % 2 == 0
    shares = torch.empty(size).uniform_(*TURN).to(onsets.device) * in_time
    steps = torch.randint(1, MOST_SEMITONES + 1, (size,)) * (torch.randint(0, 2, (size,)) * 2 - 1)
    pitches = moved_in_pitch(pitches, steps.to(onsets.device) * ~in_time)
    return moved_in_time(onsets, shares), moved_in_time(pitches, shares)


class AlignNetScorer(StemScorer):
    """AlignNet as an EmbeddingScorer; about -1 to 1 when new, higher fits better."""

    network_class = AlignNet
