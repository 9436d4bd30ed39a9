"""The players: what can be chosen for a pair that is placed, and for one that is not."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mashnet.data.mashupdb import MashupDB
from mashnet.mashups.placed import placed
from mashnet.mashups.proposal import LibraryClip, Proposal
from mashnet.mashups.proposals import vocals_on_music
from mashnet.music.placement import Placement
from mashnet.rendering.plan import PLACED, TECHNIQUES


def panel(proposal, temporary):
    """Draw the panel alone; Streamlit runs the text of this function."""
    from mashnet.studio.hearing import Pair
    from mashnet.studio.listen_panel import listen_panel

    listen_panel(Pair(proposal, 0.5, "", None), "rule", temporary)


def opened(proposal, temporary):
    st.cache_resource.clear()
    app = AppTest.from_function(
        panel, default_timeout=60, kwargs={"proposal": proposal, "temporary": temporary}
    )
    app.run()
    assert not app.exception
    return app


def technique(app):
    (box,) = (box for box in app.selectbox if box.label == "Technique")
    return box


@pytest.fixture
def proposal(small_library: MashupDB) -> Proposal:
    base, guest, *_ = (LibraryClip(small_library, name) for name in small_library.clip_rows)
    return placed(base, guest, Placement(1, 2, 1))


def test_a_placed_pair_is_played_as_it_was_judged(proposal, tmp_path):
    app = opened(proposal, tmp_path)
    assert technique(app).value == PLACED and technique(app).options == [PLACED, *TECHNIQUES]
    app.button[0].click().run()
    assert not app.exception
    (command,) = app.code
    assert "technique=placed guest_bar=2 base_bar=3" in command.value


def test_a_pair_that_is_not_placed_cannot_be_played_so(small_library, tmp_path):
    app = opened(vocals_on_music(small_library)[0], tmp_path)
    assert technique(app).options == list(TECHNIQUES)
    assert technique(app).value == "structure+key"
