"""Start the studio: python -m mashnet.studio library=data/real, then open the printed address.

The page is served to this machine only, and loads nothing from anywhere else.
"""

from __future__ import annotations

from pathlib import Path

from mashnet.commands.small_program import run_program
from mashnet.studio.settings import require_free, require_streamlit, understood

_OPTIONS = {
    "server.address": "localhost",  # with it, nothing asks the internet for our address
    "server.maxUploadSize": "1",  # MB; there is nothing to upload
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "theme.base": "light",
    "theme.primaryColor": "#b3392f",
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": "#f5f3ef",
    "theme.textColor": "#222222",
    "theme.baseRadius": "small",
    "theme.metricValueFontSize": "1.5rem",
    "theme.headingFontSizes": '["1.6rem", "1.5rem", "1.2rem"]',
    "theme.dataframeHeaderBackgroundColor": "#f5f3ef",
}


def main(arguments: list[str]) -> None:
    """Refuse what cannot work, then serve the page until Ctrl-C."""
    settings = understood(arguments)
    require_streamlit()
    # Imported here: what is mistyped is refused without torch.
    from mashnet.mashups.kept_scores import open_library
    from mashnet.mashups.scorer_choice import scorer_choices

    open_library(settings.library)
    scorer_choices(settings.scorer)
    require_free(settings.port)
    print(f"studio: http://localhost:{settings.port} (Ctrl-C ends it)", flush=True)
    options = {**_OPTIONS, "server.port": str(settings.port)}
    flags = [f"--{name}={value}" for name, value in options.items()]
    serve(["run", str(Path(__file__).with_name("app.py")), *flags, "--", *arguments])


def serve(command: list[str]) -> None:
    """Be the program `streamlit` until Ctrl-C."""
    from streamlit.web import cli  # an extra: nobody else needs it

    cli.main(command, prog_name="streamlit")


if __name__ == "__main__":
    run_program(main, interrupted="scores that were made are kept")
