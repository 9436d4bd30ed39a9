"""The page as Streamlit runs it, without a browser."""

import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import mashnet.studio

APP = Path(mashnet.studio.__file__).with_name("app.py")


@pytest.fixture(autouse=True)
def _main_stays(monkeypatch):
    """Streamlit runs a page as __main__ and leaves it so; workers of later tests would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def page(monkeypatch):
    """Return a function that opens the page with what would be typed."""

    st.cache_resource.clear()  # a Scorer keeps what it has heard

    def opened(*arguments):
        monkeypatch.setattr(sys, "argv", ["app.py", *map(str, arguments)])
        return AppTest.from_file(str(APP), default_timeout=60).run()

    return opened
