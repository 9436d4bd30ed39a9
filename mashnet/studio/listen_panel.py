"""The middle of the page: the two songs and the mashup as sound, to hear and to take home."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from mashnet.data.song_clips import VOCAL
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.mashups.recipe import file_stem, song_of
from mashnet.rendering.mashup import render_original
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, PLACED, RENDERING_ENGINE, TECHNIQUES
from mashnet.studio.downloads import Finished, finished, judged, sound_file
from mashnet.studio.hearing import Pair
from mashnet.studio.wording import plain

_ENGINES = {RENDERING_ENGINE: "fast", "pylibrb": "fine (takes three times as long)"}


def listen_panel(pair: Pair, judge: str, temporary: Path) -> None:
    """Render on request; then players, warnings, and what can be taken home.

    Args:
        pair: what is looked at.
        judge: name of the Scorer, for the recipe.
        temporary: folder for files on their way.
    """
    proposal = pair.proposal
    st.subheader("Listen")
    first, second, third = st.columns([2, 2, 1], vertical_alignment="bottom")
    techniques = (PLACED, *TECHNIQUES) if proposal.placements else TECHNIQUES
    technique = first.selectbox(
        "Technique",
        techniques,
        index=0 if proposal.placements else techniques.index(DEFAULT_TECHNIQUE),
        help="tempo: beat by beat. structure: verse on verse, chorus on chorus, where sections "
        "are known. +key: moved to the base's key. placed: bar on bar, as it was judged.",
    )
    engine = second.selectbox("Engine", list(_ENGINES), format_func=_ENGINES.__getitem__)
    wanted = f"{proposal.proposal_id} {technique} {engine}"
    if third.button("Render", type="primary", width="stretch", icon=":material/graphic_eq:"):
        st.session_state.setdefault("rendered", set()).add(wanted)
    if wanted not in st.session_state.get("rendered", set()):
        return
    guest = proposal.guests[VOCAL].clip
    mashup = _rendered(proposal, wanted, technique, engine, temporary)
    columns = st.columns(3)
    for column, title, sound, kind in (
        (columns[0], f"Music: {plain(proposal.base.title)}", None, proposal.base),
        (columns[1], f"Vocal from: {plain(guest.title)}", None, guest),
        (columns[2], "**Mashup**", mashup.wav, None),
    ):
        column.markdown(title)
        if kind is not None:
            sound = _alone(kind, f"{kind.database.root} {kind.clip_id}", temporary)
        column.audio(sound, format="audio/flac" if kind is not None else "audio/wav")
    if warnings := mashup.recipe["warnings"]:
        st.warning("  \n".join(map(plain, warnings)), icon=":material/info:")
    _take_home(pair, mashup, judge)


def _take_home(pair: Pair, mashup: Finished, judge: str) -> None:
    proposal = pair.proposal
    recipe = judged(mashup.recipe, proposal, judge=judge, score=pair.score)
    name = file_stem(proposal)
    sound, text, facts = st.columns([2, 3, 6], vertical_alignment="center")
    sound.download_button(
        "WAV",
        mashup.wav,
        f"{name}.wav",
        "audio/wav",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
    )
    text.download_button(
        "Recipe (JSON)",
        json.dumps(recipe, indent=2, ensure_ascii=False) + "\n",
        f"{name}.json",
        "application/json",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
    )
    loudness = "silent"
    if recipe["lufs"] is not None:
        loudness = f"{recipe['lufs']:.1f} LUFS · true peak {recipe['true_peak_db']:.1f} dBTP"
    facts.caption(f"{recipe['duration_s']:.0f} s · {loudness}")
    with st.expander("The same in a terminal"):
        st.code(recipe["command"], language="bash", wrap_lines=True)


@st.cache_resource(max_entries=3, show_spinner="Rendering the mashup …")
def _rendered(
    _proposal: Proposal, wanted: str, technique: str, engine: str, _temporary: Path
) -> Finished:
    return finished(_proposal, _temporary, technique=technique, engine=engine)


@st.cache_resource(max_entries=6, show_spinner="Reading the songs …")
def _alone(_clip: LibraryClip, which: str, _temporary: Path) -> bytes:
    return sound_file(render_original(song_of(_clip)), _temporary, ".flac")
