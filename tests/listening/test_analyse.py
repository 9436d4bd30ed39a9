"""The command: what it writes and prints, from many ratings, few and none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mashnet.errors import DatabaseError
from mashnet.evaluation.statistics import Bootstrap
from mashnet.listening import __main__ as program
from mashnet.listening.analysis import analysis_of
from mashnet.listening.folder import read_key
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import rating_of
from mashnet.listening.ratings_file import write_ratings
from mashnet.listening.report import as_json
from mashnet.listening.table import judged
from tests.listening.study import Study, simulated


def write(study: Study, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.json").write_text(json.dumps(study.key))
    write_ratings(folder / "ratings.csv", study.ratings)
    return folder / "ratings.csv"


def analysed(path: Path, *more: str) -> dict[str, Any]:
    program.main(["analyse", f"ratings={path}", *more])
    return json.loads((path.parent / "analysis" / "analysis.json").read_text())


def test_a_whole_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = simulated(
        {
            ("original", "original"): 4.4,
            ("net <i>", "best"): 3.6,
            ("net <i>", "worst"): 2.2,
            ("rule", ""): 2.9,
        },
        participants=7,
        clips=4,
        seed=0,
    )
    for facts in study.items.values():
        facts["scores"] = {}
    study.rate("flat", "rule..0", 3)
    study.rate("flat", "rule..1", 3)
    path = write(study, tmp_path)
    (tmp_path / "scores.csv").write_text(
        "item,scorer,score\n" + "".join(f"{i},extra,{n}\n" for n, i in enumerate(study.items))
    )
    found = analysed(path, f"scores={tmp_path / 'scores.csv'}")
    assert (found["ratings"], found["participants"], found["clips"]) == (7 * 16 + 2, 8, 16)
    groups = [one["group"] for one in found["mean_opinions"]]
    assert groups == ["original", "net <i> best", "net <i> worst", "rule"]
    assert set(found["mean_opinions"][0]["means"]) == {
        "overall", "harmony", "rhythm", "timbre", "instrumentation", "mean"
    }  # fmt: skip
    assert {one["scorer"] for one in found["correlations"]} == {"extra"}
    assert len(found["mann_whitney"]) == 12 and len(found["wilcoxon"]) == 3 * 6
    flat = next(one for one in found["by_participant"] if one["participant"] == "flat")
    assert flat["same"] and sum(one["same"] for one in found["by_participant"]) == 1
    printed = capsys.readouterr().out
    for heading in ("Mean opinion scores", "Cronbach", "Mann–Whitney", "Wilcoxon", "Scorers and"):
        assert heading in printed
    report = (tmp_path / "analysis" / "report.html").read_text()
    assert "net &lt;i&gt; best" in report and "net <i>" not in report
    assert report.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=\"(?!data:)", report)  # needs nothing from elsewhere
    assert "1 gave one and the same number" in report
    names = {p.name for p in (tmp_path / "analysis").iterdir()}
    assert names == {
        "analysis.json",
        "report.html",
        "mean_opinions.png",
        "answers.png",
        "scores.png",
    }


@pytest.mark.parametrize("ratings", [1, 2, 5])
def test_few_ratings_give_what_they_can(tmp_path: Path, ratings: int) -> None:
    study = Study()
    study.add_item("a", ("net", "best"), scores={"s": 1.0})
    study.add_item("b", ("net", "worst"), scores={"s": 0.0})
    study.add_item("o", ("original", "original"), scores={"s": 2.0})
    given = [("p", "a", 4), ("p", "b", 2), ("p", "o", 5), ("q", "a", 4), ("q", "b", 3)]
    for person, item, value in given[:ratings]:
        study.rate(person, item, value)
    found = analysed(write(study, tmp_path))
    assert found["ratings"] == ratings and found["not_computed"]
    assert found["mean_opinions"][-1 if ratings < 2 else 0]["means"]["mean"]["value"] >= 4
    whats = " ".join(one["what"] for one in found["not_computed"])
    if ratings == 1:
        assert found["cronbach_alpha"]["value"] is None and "Cronbach" in whats
        assert "Mann–Whitney of net" in whats and "correlations with s" in whats
    if ratings >= 2:
        assert len(found["mann_whitney"]) == 12
    assert (tmp_path / "analysis" / "report.html").is_file()


def test_the_same_ratings_give_the_same_numbers_in_any_order() -> None:
    study = simulated({("a", "best"): 4, ("b", "best"): 3}, participants=4, clips=3, seed=1)
    first = as_json(analysis_of(study.table, Bootstrap(20)))
    study.ratings.reverse()
    assert as_json(analysis_of(study.table, Bootstrap(20))) == first


def test_nothing_to_analyse(tmp_path: Path) -> None:
    study = Study()
    study.add_item("a", ("net", "best"))
    path = write(study, tmp_path)
    with pytest.raises(DatabaseError, match="no ratings in it yet"):
        program.main(["analyse", f"ratings={path}"])
    study.rate("p", "a", 3)
    write(study, tmp_path)
    (tmp_path / "key.json").unlink()
    with pytest.raises(DatabaseError, match=r"key\.json: cannot be read"):
        program.main(["analyse", f"ratings={path}"])
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(DatabaseError, match="lacks test, title, items"):
        program.main(["analyse", f"ratings={path}"])
    write(study, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be written"):
        program.main(["analyse", f"ratings={path}", f"out={tmp_path / 'file'}"])


def test_a_built_test_can_be_analysed(built: Path) -> None:
    key = read_key(built / "key.json")
    values = {
        "rated_at": "2026-01-01T10:00:00Z",
        "test": key["test"],
        "position": 1,
        **dict.fromkeys(QUESTION_NAMES, 4),
        "heard": "no",
        "listened_s": 1,
    }
    ratings = [
        rating_of({**values, "participant": who, "item": item, "token": f"{n:032x}"})
        for n, (who, item) in enumerate((w, i) for w in "pq" for i in key["items"])
    ]
    analysis = analysis_of(judged(ratings, key)[0], Bootstrap(20))
    assert [one.group for one in analysis.opinions] == ["loud-rules", "quiet-nets"]
