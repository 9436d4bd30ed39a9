"""The studio's page. `python -m mashnet.studio library=DB` serves it; Streamlit runs this file."""

from __future__ import annotations

import atexit
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.song_clips import VOCAL
from mashnet.errors import MashnetError
from mashnet.mashups.kept_scores import ScoreStore, open_library
from mashnet.mashups.proposals import LibraryClip
from mashnet.mashups.scorer_choice import ScorerChoice, scorer_choices
from mashnet.mashups.shortlist import PLACER, placer_of
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.scorer import Scorer
from mashnet.music.tempo_levels import tempo_words
from mashnet.studio.best_panel import MOST_BEST, best_panel, nothing_compared
from mashnet.studio.hearing import Pair
from mashnet.studio.listen_panel import listen_panel
from mashnet.studio.pairs import ALL_AT_ONCE, MOST_PAIRS, bases_of
from mashnet.studio.pairs_panel import pairs_panel
from mashnet.studio.placing import Placer, placed_pairs
from mashnet.studio.settings import Settings, libraries_beside, understood
from mashnet.studio.why_panel import why_panel
from mashnet.studio.wording import (
    clip_words,
    distinct_titles,
    meeting_words,
    plain,
    score_words,
    shift_words,
)

# Named icons and emojis of a page are loaded from elsewhere; this one comes with it.
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" stroke="#b3392f" '
    'stroke-width="2" stroke-linecap="round"><path d="M2 7v2M6 3v10M10 5v6M14 7v2"/></svg>'
)
# Streamlit leaves a hand's breadth above everything.
_STYLE = (
    "<style>.stMainBlockContainer {padding: 2.2rem 3rem 3rem; max-width: 75rem}"
    "[data-testid='stSidebarHeader'] {height: 1.5rem; margin: 0}</style>"
)


def main(arguments: Sequence[str]) -> None:
    """Draw the page; what the user can mend is said in one line."""
    st.set_page_config("mashnet studio", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    try:
        _page(understood(arguments))
    except MashnetError as error:
        st.error(plain(" ".join(str(error).split())), icon=":material/error:")


def _page(settings: Settings) -> None:
    with st.sidebar:
        st.title("mashnet studio")
        database, kept = _choose_library(settings)
        choices = {choice.name: choice for choice in scorer_choices(settings.scorer)}
        choice = _choose_scorer(choices)
        bases = bases_of(database)
        base = _choose_base(database, bases)
        limits = _choose_limits()
    identity = choice.identity()
    scorer = _loaded(choice, identity)
    placer = _placer(scorer, identity, choices)
    store = ScoreStore(kept, identity)
    st.header("Which songs fit?")
    if base is None:
        pair = _best(database, bases, limits, placer, scorer, store)
    else:
        placed = placed_pairs(database, placer, limits, most=MOST_PAIRS, base=base)
        pair = pairs_panel(database, [base], limits, scorer, store, placed.proposals)
    if pair is None:
        return
    _headline(pair)
    listen_panel(pair, choice.name, _temporary())
    why_panel(pair, scorer, identity)


def _choose_library(settings: Settings) -> tuple[MashupDB, Path]:
    folder = st.selectbox(
        "Library",
        libraries_beside(settings.library),
        accept_new_options=True,
        help="A MashupDB; type the path of another one here.",
    )
    folder = folder or settings.library
    clips = Path(folder) / "clips.parquet"
    return _opened(folder, clips.stat().st_mtime_ns if clips.is_file() else 0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _opened(folder: str, changed: int) -> tuple[MashupDB, Path]:
    """Open a library once for all visits; `changed` has it opened anew after a rebuild."""
    return open_library(folder)


def _best(
    database: MashupDB,
    bases: list[LibraryClip],
    limits: Limits,
    placer: Placer,
    scorer: Scorer,
    store: ScoreStore,
) -> Pair | None:
    """Open on the best pairs of the library; where none can be compared, on what can be heard."""
    placed = placed_pairs(database, placer, limits, most=MOST_BEST)
    if placed.proposals:
        return best_panel(placed, placer.scorer.name, scorer, store)
    if not nothing_compared(database, placed.left_out):
        return None
    few = bases if len(bases) <= ALL_AT_ONCE else []
    return pairs_panel(database, few, limits, scorer, store)


def _choose_scorer(choices: dict[str, ScorerChoice]) -> ScorerChoice:
    name = st.selectbox(
        "Scorer", list(choices), help="Who judges: bundles of checkpoints/, and rules."
    )
    return choices[name]


@st.cache_resource(max_entries=3, show_spinner="Loading the network …")
def _loaded(_choice: ScorerChoice, identity: str) -> Scorer:
    return _choice.load()


def _placer(scorer: Scorer, identity: str, choices: dict[str, ScorerChoice]) -> Placer:
    if not isinstance(scorer, PhraseScorer):
        identity = choices[PLACER].identity() if PLACER in choices else "fixed weights"
    return Placer(_loaded_placer(scorer, list(choices.values()), identity), identity)


@st.cache_resource(max_entries=3, show_spinner="Loading the network …")
def _loaded_placer(_judge: Scorer, _choices: list[ScorerChoice], identity: str) -> PhraseScorer:
    return placer_of(_judge, _choices)


def _choose_base(database: MashupDB, bases: list[LibraryClip]) -> LibraryClip | None:
    """Return whose music vocals are tried on; None: any song's."""
    titles = distinct_titles(bases)
    by_id = {base.clip_id: base for base in bases}
    chosen = st.selectbox(
        "Music of",
        ["", *by_id],
        format_func=lambda clip_id: titles[clip_id] if clip_id else "any song",
        key=f"base of {database.root}",
        help="The base: its time, key and accompaniment stay.",
    )
    return by_id[chosen] if chosen else None


def _choose_limits() -> Limits:
    st.caption("A vocal may be moved by at most")
    semitones = st.slider("Semitones", 0, 6, 3)
    percent = st.slider("Tempo", 0, 30, 20, 5, format="%d %%")
    return Limits(semitones, (1 - percent / 100, 1 + percent / 100))


def _headline(pair: Pair) -> None:
    """Say which pair is looked at, and how it was judged."""
    proposal = pair.proposal
    guest = proposal.guests[VOCAL]
    st.header(f"{plain(guest.clip.title)} sings over {plain(proposal.base.title)}")
    if guest.placement is not None:
        st.markdown(plain(meeting_words(proposal)))
    vocal, music = plain(clip_words(guest.clip)), plain(clip_words(proposal.base))
    st.caption(f"**Vocal** {vocal}  \n**Music** {music}")
    score, own, shift, tempo = st.columns(4)
    score.metric("Score", score_words(pair.score), help=plain(pair.place))
    own.metric(
        "Own vocal's score",
        score_words(pair.own_score),
        help="What the same Scorer gives to the same music with the vocal of its own song.",
    )
    shift.metric("Vocal's key", shift_words(guest.semitones, guest.cents))
    tempo.metric("Vocal's tempo", tempo_words(guest.tempo_ratio, guest.tempo_level))


@st.cache_resource
def _temporary() -> Path:
    """Return a folder for files on their way to the browser; it goes with the server."""
    folder = tempfile.TemporaryDirectory(prefix="mashnet-studio-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


if __name__ == "__main__":
    main(sys.argv[1:])
