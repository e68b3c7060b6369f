"""The package keeps to its own plan: imports run one way, and the README says what is true."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from deeplab_caffe.cli.command_table import COMMANDS
from deeplab_caffe.nets import full_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "deeplab_caffe"

#: the floors of the house, from the top: rooms of one floor do not import each other, and import lower floors alone
FLOORS = (
    ("cli",),
    ("language_server",),
    ("serving",),
    ("prediction",),
    ("experiment",),
    ("inference", "cv2_dnn"),
    ("nets", "inspection", "porting", "engine"),
    ("caffe",),
    ("crf",),
    ("formats", "data", "evaluation"),
)
GROUND = (
    "arrays",
    "errors",
    "files",
    "kernels",
    "lazy",
    "locks",
    "package_files",
    "permission",
    "progress",
    "reading",
    "spelling",
    "tables",
    "temporary_files",
    "threads",
    "words",
)

#: what rooms may not import although it lies on a lower floor
NOT = {
    # experiments run on whichever Caffe the engine is, through pycaffe's names alone
    "experiment": {"caffe"},
    "inference": {"caffe"},
    "prediction": {"caffe"},
    "serving": {"caffe"},
    "language_server": {"caffe", "experiment"},
    "engine": {"data", "evaluation", "crf"},
    "crf": {"data", "evaluation"},
}
#: rooms within rooms, with all that they may import: the search scores with evaluation and reads labels with data
INNER = {
    "crf/pool": set(),
    "crf/batch": {"formats", "crf", "crf/pool", "data"},
    "crf/search": {"formats", "crf", "crf/pool", "data", "evaluation"},
}
#: rooms that may use the rooms within another
USES_INNER = {"experiment": {"crf/search", "crf/batch"}, "cli": {"crf/search", "crf/batch"}}


def _allowed(room: str) -> set[str]:
    if room in INNER:
        return INNER[room]
    floor = next(i for i, rooms in enumerate(FLOORS) if room in rooms)
    below = {name for rooms in FLOORS[floor + 1 :] for name in rooms}
    # data and evaluation read files with formats, which lies on their floor
    beside = {"formats"} if room in ("data", "evaluation") else set()
    return (below | beside | USES_INNER.get(room, set())) - NOT.get(room, set())


def _sentence() -> str:
    """What docs/architecture.md says of who imports whom."""
    floors = [", ".join(f"`{name}`" for name in rooms) for rooms in (*FLOORS, GROUND)]
    lines = ["Imports run one way, down these floors:", ""]
    lines += [f"{i}. {rooms}" for i, rooms in enumerate(floors, 1)]
    lines += ["", "Rooms on one floor do not import each other, but `data` and `evaluation` read files with `formats`."]
    for room, names in NOT.items():
        lines.append(f"`{room}` does not import {', '.join(f'`{name}`' for name in sorted(names))}.")
    for room, names in INNER.items():
        if names:
            lines.append(f"`{room}` imports {', '.join(f'`{name}`' for name in sorted(names))}.")
    lines.append("No modules import each other in a cycle, not in functions and not for types either.")
    return "\n".join(lines)


def _modules() -> dict[str, Path]:
    """Every module of the package by its dotted name within it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(path: Path) -> set[str]:
    """The modules of the package that a module imports: at its top, in functions, and for types alone."""
    here = path.relative_to(PACKAGE).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("deeplab_caffe")]
            found |= {name.removeprefix("deeplab_caffe").removeprefix(".") for name in names}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            if node.level:
                base = [*here[: len(here) - node.level + 1], *module]
            elif module[:1] == ["deeplab_caffe"]:
                base = module[1:]
            else:
                continue
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                found.add(whole if whole in MODULES else ".".join(base))
    return found


def _room(module: str) -> str:
    parts = module.split(".")
    inner = "/".join(parts[:2])
    return inner if inner in INNER else parts[0]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_run_one_way(module: str) -> None:
    rooms = {_room(name) for name in _imports(MODULES[module])} - {*GROUND, ""}
    room = _room(module)
    if room in (*GROUND, "", "__main__"):
        assert rooms <= ({"engine", "prediction"} if room == "" else set())
        return
    assert room in INNER or any(room in floor for floor in FLOORS), f"{room} has no place in docs/architecture.md yet"
    assert rooms <= _allowed(room) | {room}


def test_no_modules_import_each_other() -> None:
    graph = {name: {other for other in _imports(path) if other in MODULES} - {name} for name, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_the_page_says_who_imports_whom() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    match = re.search(r"<!-- imports -->\n(.*?)\n<!-- /imports -->", text, re.DOTALL)
    assert match and match[1] == _sentence(), f"docs/architecture.md, between its markers, should say:\n{_sentence()}"


def test_readme_lists_the_layers_that_there_are() -> None:
    from deeplab_caffe import caffe

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"<!-- layers -->(.*?)<!-- /layers -->", text, re.DOTALL)
    assert match, "README.md has no list of layers between <!-- layers --> and <!-- /layers -->"
    assert re.findall(r"\w+", match[1]) == caffe.layer_type_list()


def test_readme_names_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z_]+)(?:\.%)?:", makefile, re.MULTILINE))
    targets |= {f"{name}_data" for name in re.findall(r"^DATA_SETS.*?=(.*)$", makefile, re.MULTILINE)[0].split()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {name.split(".")[0] for name in re.findall(r"make ([a-z0-9_]+(?:\.[a-z0-9]+)?)", readme)}
    assert named
    for name in named - targets:
        assert full_name(name)  # a model on a data set: these targets come from the table


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_commands_and_files_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    first = {name.partition(" ")[0] for name in COMMANDS}
    commands = re.findall(r"(?:^|`|bin/)deeplab ([a-z_-]+)(?: ([a-z_-]+))?", text, re.MULTILINE)
    for one, two in commands:
        assert one in first, f"deeplab {one}"
        needs_two = one not in COMMANDS
        assert not needs_two or not two or f"{one} {two}" in COMMANDS, f"deeplab {one} {two}"
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


def test_ci_calls_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert commands
    for command in commands:
        assert command in readme


def test_extras_that_messages_and_docs_name_exist() -> None:
    extras = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    known = set(re.findall(r"^(\w+) = ", extras, re.MULTILINE))
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    named = {name for file in files for name in re.findall(r"(?:deeplab-caffe|'\.)\[(\w+)\]", file.read_text())}
    assert named and named <= known
