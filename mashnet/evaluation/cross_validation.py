"""One table from the folds of a cross-validation: every song held out once, by some network.

    python -m mashnet.evaluation.cross_validation results=[FOLDER,FOLDER,…] out=FOLDER

Networks of different folds score on scales of their own, so scores are compared within a fold only:
AUC counts pairs of an original and an unmatched mix of the same fold, ranks are among the matched
mixes of the same fold, or among its stems. What is pooled is who wins, never the scores.

Folds of these protocols can be pooled: mix_classification, mashup_retrieval, stem_retrieval.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mashnet.commands.hydra_program import entry_point, typed_command

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("cross_validation")
def main(config: DictConfig) -> None:
    """Pool the folds' results, write them, and print the table."""
    # Imported here: a mistyped setting is refused without them.
    from mashnet.evaluation.folds import cross_validated, read_folds
    from mashnet.evaluation.report import publish
    from mashnet.evaluation.statistics import Bootstrap

    folds = read_folds([Path(folder) for folder in config.results])
    outcome = cross_validated(folds, Bootstrap(**config.bootstrap))
    command = typed_command("python", "-m", "mashnet.evaluation.cross_validation")
    publish(outcome, Path(config.out), command=command)


if __name__ == "__main__":
    main()
