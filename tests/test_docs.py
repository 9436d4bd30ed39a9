"""What the documentation names is there: commands and their settings, links, files, rooms.

No command is run. What Hydra reads is composed, what small programs read goes through their own
reader of arguments, and everything else is looked up.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from mashnet.commands import hydra_program, small_program
from mashnet.commands.hydra_program import CONFIGS
from mashnet.errors import MashnetError
from mashnet.programs import PROGRAMS
from tests.test_architecture import FLOORS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
STOREY = 14  # columns of its picture that name storeys, not rooms

OURS = ("mashnet ", "make ", "python ", "pip install ")
SHELLS = ("bash", "sh", "console")
# Of a shell, of other projects: what else may stand in a block of commands.
FOREIGN = {".", "cd", "cp", "docker", "done", "export", "git", "ls", "mkdir", "ray", "uv"}
FOREIGN_MODULES = {"pytest", "venv"}
SCORED = {"vocal", "harmonic", "percussion", "loop_a", "loop_b", "context", "target", "instrument"}
_really_compose = hydra_program._compose
# What pages write for one of several values.
STANDS_FOR = {"MODEL": "premixnet", "STRATEGY": "reverse", "AC": "true"}


class DocumentationError(Exception):
    """Something is written that is not there."""


@dataclass(frozen=True)
class Command:
    """A command as it is written.

    Attributes:
        words: as a shell splits them; placeholders are X, what stands for more is left out.
        shortened: whether something of it is left out, so that nothing can be missed in it.
    """

    words: tuple[str, ...]
    shortened: bool = False


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code_and_prose(text: str) -> tuple[list[tuple[str, list[str]]], str]:
    """Return the blocks of a page, (language, lines), indented ones as "", and all other text."""
    blocks: list[tuple[str, list[str]]] = []
    prose: list[str] = []
    fence = before = ""
    for line in text.splitlines():
        if fence:
            if line.startswith("```"):
                fence, before = "", ""
            else:
                blocks[-1][1].append(line)
            continue
        if line.startswith("```"):
            fence = line
            blocks.append((line[3:].strip(), []))
        elif line.startswith("    ") and (not before.strip() or before.startswith("    ")):
            if not before.startswith("    "):
                blocks.append(("", []))
            blocks[-1][1].append(line[4:])
        else:
            prose.append(line)
        before = line
    return blocks, "\n".join(prose)


def commands_of(text: str) -> Iterator[Command]:
    """Yield the commands of a page: of its blocks, and those that stand in a sentence."""
    blocks, prose = code_and_prose(text)
    for language, lines in blocks:
        if language in ("", *SHELLS):
            yield from _commands_of_block(lines, whole=language in SHELLS)
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose):
        if span.startswith(OURS):
            yield _command(span, shortened=True)


def _commands_of_block(lines: Sequence[str], *, whole: bool) -> Iterator[Command]:
    """Yield a block's commands; of a block that may be anything, those that are ours."""
    values: dict[str, str] = {}
    for line in lines:
        for name, value in values.items():
            line = re.sub(rf"\$\{{?{name}\b\}}?", value, line)
        line = line.strip()
        if loop := re.fullmatch(r"for (\w+) in (\S+).*; do", line):
            values[loop[1]] = loop[2]
        elif setting := re.fullmatch(r'(\w+)="([^"]*)"', line):
            values[setting[1]] = setting[2]
        elif line and not line.startswith("#") and (whole or line.startswith(OURS)):
            for part in re.split(r" && ", line):
                yield _command(part)


def _command(line: str, *, shortened: bool = False) -> Command:
    words = shlex.split(re.sub(r"<[^<>]*>", "X", line), comments=True)
    kept = [word for word in words if not (word == "…" or word.endswith("=…"))]
    kept = [word.replace("…", "X") for word in kept]
    return Command(tuple(kept), shortened or len(kept) < len(words))


def check(command: Command) -> None:
    """Raise an error if a command cannot be meant: no such program, setting, target or extra."""
    program, *arguments = command.words or ("",)
    if program == "make":
        for target in arguments:
            _require(target in make_targets(), f"make has no target {target}")
    elif program == "pip":
        for extra in re.findall(r"[\w-]+", "".join(re.findall(r"\[(.*?)\]", arguments[-1]))):
            _require(extra in extras(), f"there is no extra {extra}")
    elif program == "mashnet":
        if arguments and arguments[0] != "X":
            _require(arguments[0] in PROGRAMS, f"mashnet has no command {arguments[0]}")
            check_program(PROGRAMS[arguments[0]].module, arguments[1:], command.shortened)
    elif program == "python" and arguments[:1] == ["-m"]:
        if arguments[1] not in FOREIGN_MODULES:
            check_program(arguments[1], arguments[2:], command.shortened)
    elif program == "python":
        script = Path(arguments[0])
        _require((ROOT / script).is_file(), f"there is no {script}")
        if script.stem in PROGRAMS:
            check_program(PROGRAMS[script.stem].module, arguments[1:], command.shortened)
    else:
        _require(program in FOREIGN, f"nobody knows the program {program}")


def check_program(module: str, arguments: Sequence[str], shortened: bool) -> None:
    """Ask what reads a program's arguments whether it takes these."""
    path = program_file(module)
    if config := hydra_config(path):
        for variant in variants(arguments):
            check_composition(config, variant, shortened)
    elif module.split(".")[0] == "benchmarks":
        for argument in arguments:
            key = argument.partition("=")[0]
            found = re.search(rf"\b{re.escape(key)}\b", path.read_text("utf-8"))
            _require(found is not None, f"{module} has no setting {key}")
    elif module == "mashnet.doctor":
        _require(list(arguments) in ([], ["check"]), "mashnet.doctor takes nothing, or check")
    else:
        check_small_program(path, arguments, shortened)


def program_file(module: str) -> Path:
    """Return the file that `python -m` would run."""
    place = ROOT.joinpath(*module.split("."))
    for path in (place / "__main__.py", place.with_suffix(".py")):
        if path.is_file() and module.split(".")[0] in ("mashnet", "data_pipelines", "benchmarks"):
            return path
    raise DocumentationError(f"there is no program {module}")


@cache
def hydra_config(path: Path) -> tuple[str, Path] | None:
    """Return name and folder of the configuration that a program's `entry_point` names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "stage_program":
            return ast.literal_eval(node.args[0]).rpartition(".")[2], CONFIGS / "pipeline"
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "entry_point":
            name, *folder = map(ast.unparse, node.args)
            return ast.literal_eval(name), CONFIGS / "pipeline" if folder else CONFIGS
    return None


def variants(arguments: Sequence[str]) -> Iterator[list[str]]:
    """Yield what is to be composed; of `-m` every value of each setting, beside others' first."""
    if "-m" not in arguments:
        yield list(arguments)
        return
    values = [a.partition("=")[::2] for a in arguments if a != "-m"]
    choices = [[f"{key}={one}" for one in several.split(",")] for key, several in values]
    for index in range(max(map(len, choices))):
        yield [choice[min(index, len(choice) - 1)] for choice in choices]


@cache
def _composed_once(name: str, overrides: tuple[str, ...], folder: Path) -> Any:
    return _really_compose(name, list(overrides), folder)


def check_composition(config: tuple[str, Path], arguments: Sequence[str], shortened: bool) -> None:
    """Compose what a program would, and see that nothing is missing."""
    with pytest.MonkeyPatch.context() as patch:  # what several commands begin with is made once
        patch.setattr(hydra_program, "_compose", lambda n, o, d: _composed_once(n, tuple(o), d))
        known = [_with_values(argument) for argument in arguments]
        found = hydra_program.compose(config[0], known, config[1])
    missing = OmegaConf.missing_keys(found)
    _require(shortened or not missing, f"{', '.join(sorted(missing))} must be given")
    for name, settings in (found.get("scorers") or {}).items():
        shipped = (ROOT / "checkpoints" / str(name)).is_dir()
        _require(settings is not None or shipped, f"there is no Scorer {name}")


def _with_values(argument: str) -> str:
    key, equals, value = argument.partition("=")
    return f"{key}{equals}{STANDS_FOR.get(value, value)}"


def check_small_program(path: Path, arguments: Sequence[str], shortened: bool) -> None:
    """Let a program's own `main` read arguments, and stop it there."""
    main = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)).main

    class Understood(Exception):
        """They were."""

    real = small_program.read_arguments

    def stop(given: Sequence[str], **how: Any) -> None:
        read = real(given, **{**how, "needed": ()} if shortened else how)
        if path.stem == "score":
            _require(set(read) <= SCORED, f"nothing is heard as {set(read) - SCORED}")
        raise Understood

    with pytest.MonkeyPatch.context() as patch:
        for module in [m for name, m in sys.modules.items() if name.startswith("mashnet")]:
            if getattr(module, "read_arguments", None) is real:
                patch.setattr(module, "read_arguments", stop)
        if shortened and not arguments:
            return
        with pytest.raises(Understood):
            main(list(arguments))


@cache
def make_targets() -> set[str]:
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    return {target for rule in rules for target in rule.split()}


@cache
def extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return set(project["project"]["optional-dependencies"])


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise DocumentationError(problem)


def refused(text: str) -> list[str]:
    """Return what is wrong with the commands of a page, a line each."""
    problems = []
    for command in commands_of(text):
        try:
            check(command)
        except (DocumentationError, MashnetError, pytest.fail.Exception) as error:
            problems.append(f"{shlex.join(command.words)}: {error}")
    return problems


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_command_can_be_typed(page: Path) -> None:
    problems = refused(page.read_text("utf-8"))
    assert not problems, "\n".join(problems)


def test_commands_are_found() -> None:
    counts = {page_name(page): len(list(commands_of(page.read_text("utf-8")))) for page in PAGES}
    assert counts["README.md"] > 10
    assert counts["docs/tutorial.md"] >= 5
    assert sum(counts.values()) > 100


@pytest.mark.parametrize(
    "line",
    [
        "python -m data_pipelines.nothing db=data/mine",
        "python -m mashnet.scorers checkpoints/alignnet",
        "python trian.py model=premixnet",
        "mashnet mashups library=data/mine scorer=alignnet out=mashups/",
        "python train.py model=premixnet_lsr",
        "python train.py trainer.max_epoch=3",
        "python train.py trainer.max_epochs=many",
        "python train.py -m model=loop_cnn,loop_cmm",
        "python evaluate.py 'scorer=[alignnet,alinement]' protocol=renderer data.root=data/mine",
        "mashnet mixes",
        "mashnet mashup libary=data/mine scorer=alignnet out=mashups/",
        "mashnet mashup library=data/mine",
        "mashnet score checkpoints/alignnet voice=v.wav",
        "mashnet listening bild out=listening/",
        "mashnet doctor checks",
        "python -m benchmarks.loops pears=3",
        "make tests",
        "pip install '.[rendering]'",
        "mashnett score",
    ],
)
def test_a_command_that_cannot_be_typed_is_found(line: str) -> None:
    assert refused(f"Do this:\n\n```bash\n{line}   # and wait\n```\n")
    if not line.startswith("mashnett"):  # a program of nobody may be anything that is indented
        assert refused(f"Do this:\n\n    {line}\n")


@pytest.mark.parametrize(
    "line", ["mashnet mashup library=… scorer=alignnet …", "python train.py resume=runs/<the run>"]
)
def test_what_is_left_out_of_a_command_is_not_missed(line: str) -> None:
    assert not refused(f"```bash\n{line}\n```\n")
    assert not refused(f"Type `{line}`.")


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead to no file, or to no heading of a page."""
    _, prose = code_and_prose(page.read_text("utf-8"))
    prose = re.sub(r"`[^`\n]*`", "", prose)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            broken.append(f"{link}: there is no such file")
        elif heading and heading not in headings(target):
            broken.append(f"{link}: there is no such heading")
    return broken


def headings(page: Path) -> set[str]:
    """Return what a page's headings are called in links, as GitHub makes it."""
    _, prose = code_and_prose(page.read_text("utf-8"))
    found = re.findall(r"^#+ +(.+?) *$", prose, re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).lower() for text in found]
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken_links(page)


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n[a](#a-page) [b](#another) [c](page.md) [d](paeg.md) `[e](f)`\n")
    assert broken_links(page) == [
        "#another: there is no such heading",
        "paeg.md: there is no such file",
    ]


def missing_places(text: str) -> list[str]:
    """Return what is named as `folder/file.py` or `folder/file.py:name` and is not there."""
    missing = []
    folders = "mashnet|data_pipelines|benchmarks|configs|tests|docs"
    for path, name in re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)(?::([\w.]+))?`", text):
        if not (ROOT / path).is_file():
            missing.append(path)
        elif name and name not in names_in(ROOT / path):
            missing.append(f"{path}:{name}")
    return missing


@cache
def names_in(path: Path) -> set[str]:
    """Return the functions, classes, methods and constants that a file defines, methods dotted."""
    names: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign):
                names.update(prefix + t.id for t in node.targets if isinstance(t, ast.Name))

    collect(ast.parse(path.read_text("utf-8")).body, "")
    return names


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_files_and_functions_that_are_named_are_there(page: Path) -> None:
    assert not missing_places(page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_modules_that_are_named_are_there(page: Path) -> None:
    assert not missing_modules(page.read_text("utf-8"))


def missing_modules(text: str) -> list[str]:
    """Return the dotted names that lead neither to a module nor to something in one."""
    missing = []
    for name in re.findall(r"\b((?:mashnet|data_pipelines|benchmarks)(?:\.\w+)+)", text):
        parts = name.split(".")
        lengths = range(len(parts), 0, -1)
        module = next((n for n in lengths if module_file(parts[:n]) is not None), 0)
        file, inside = module_file(parts[:module]), parts[module:]
        if file is None or (inside and inside[0] not in names_in(file)):
            missing.append(name)
    return missing


def module_file(parts: Sequence[str]) -> Path | None:
    place = ROOT.joinpath(*parts)
    files = (place / "__init__.py", place / "__main__.py", place.with_suffix(".py"))
    return next((file for file in files if parts and file.is_file()), None)


def test_a_place_that_is_not_there_is_found() -> None:
    text = "`tests/test_docs.py:Command`, `tests/test_docs.py:Order`, `mashnet/nothing.py`"
    assert missing_places(text) == ["tests/test_docs.py:Order", "mashnet/nothing.py"]
    text = "mashnet.load, mashnet.scoring.Model, mashnet.scoring.Modell, benchmarks.nothing"
    assert missing_modules(text) == ["mashnet.scoring.Modell", "benchmarks.nothing"]


def test_what_is_shown_of_a_file_stands_in_it() -> None:
    shown = re.findall(
        r"^<!-- (\S+) -->\n```(?:py|yaml)\n(.*?)^```", ARCHITECTURE.read_text("utf-8"), re.M | re.S
    )
    assert len(shown) > 5
    for path, excerpt in shown:
        text = (ROOT / path).read_text("utf-8")
        for piece in re.split(r"^ *\.\.\.\n", excerpt, flags=re.M):
            assert piece in text, f"{path} has changed; docs/architecture.md shows:\n{piece}"


def picture_floors() -> list[set[str]]:
    """Return the rooms of each floor as the picture in docs/architecture.md draws them."""
    text = ARCHITECTURE.read_text("utf-8")
    picture = re.search(r"^## The house$.*?^```text\n(.*?)^```", text, re.M | re.S)
    assert picture
    floors = []
    columns = "\n".join(line[STOREY:] for line in picture[1].splitlines())
    for line in re.sub(r",\n\s+", ", ", columns).splitlines():
        rooms: set[str] = set()
        for prefix, several in re.findall(r"([a-z_.]+\b\.?)(?:\{([^}]*)\})?", line):
            inside = several.split(",") if several else [""]
            rooms |= {prefix + name.strip() for name in inside}
        if rooms:
            floors.append(rooms)
    return floors


def test_the_picture_shows_every_room_and_no_other() -> None:
    planned = [{room.name for room in floor} for floor in FLOORS]
    drawn = picture_floors()
    for index, (theirs, ours) in enumerate(itertools.zip_longest(planned, drawn)):
        assert theirs == ours, f"floor {index} from the top (make plan): {sorted(theirs or ())}"


IMPORTING = [
    page
    for page in PAGES
    if re.search(r"^(import|from) mashnet", page.read_text("utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize("page", IMPORTING, ids=page_name)
def test_what_is_imported_is_there(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    imports = [
        node
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mashnet")
    ]
    assert blocks
    for node in imports:
        module = importlib.import_module(str(node.module))
        missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
        assert not missing, f"{node.module} has no {', '.join(missing)}"
