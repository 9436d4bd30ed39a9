"""What is typed: python -m data_pipelines.beats key=value …; the work is in stage.py."""

from __future__ import annotations

from mashnet.commands.hydra_program import stage_program

main = stage_program("data_pipelines.beats")

if __name__ == "__main__":
    main()
