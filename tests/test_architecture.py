"""The package keeps to its own plan: imports run one way, and the README says what is true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from deeplab_caffe.cli.table import COMMANDS
from deeplab_caffe.nets import full_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "deeplab_caffe"

#: what each room may import of the package, besides itself and the ground floor
ALLOWED = {
    "formats": set(),
    "data": {"formats"},
    "evaluation": {"formats"},
    "crf": {"formats"},
    "crf/crew": set(),
    "crf/batch": {"formats", "crf", "crf/crew", "data"},
    "crf/search": {"formats", "crf", "crf/crew", "data", "evaluation"},
    "caffe": {"formats", "data", "evaluation", "crf"},
    "nets": {"formats", "data", "evaluation", "crf", "caffe"},
    "inspection": {"formats", "data", "evaluation", "crf", "caffe"},
    "porting": {"formats", "data", "evaluation", "crf", "caffe"},
    "engine": {"formats", "caffe"},
    # no "caffe": experiments run on whichever Caffe the engine is, through pycaffe's names alone
    "experiment": {
        *("formats", "data", "evaluation", "crf", "crf/search", "crf/batch"),
        *("nets", "inspection", "porting", "engine"),
    },
}
ALLOWED["cli"] = ALLOWED["experiment"] | {"experiment", "caffe"}
GROUND = {"arrays", "errors", "files", "permission", "progress", "spelling", "tables"}


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "/".join(parts[:2]) if "/".join(parts[:2]) in ALLOWED else parts[0]


def _imported(path: Path) -> set[str]:
    """The rooms of this package that a module imports, anywhere in it."""
    here = ("deeplab_caffe", *path.relative_to(PACKAGE).parent.parts)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = base + tuple((node.module or "").split(".") if node.module else ())
            names = [module if len(module) > 1 else (*module, alias.name) for alias in node.names]
        else:
            continue
        found |= {"/".join(n[1:3]) if "/".join(n[1:3]) in ALLOWED else n[1] for n in names if n[0] == "deeplab_caffe"}
    return {name for name in found if name not in GROUND and not name.startswith("__")}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    room = _room(path)
    if room in GROUND or room == "__init__":
        assert _imported(path) <= ({"engine"} if room == "__init__" else set())
        return
    assert room in ALLOWED, f"{room} has no place in docs/architecture.md yet"
    assert _imported(path) <= ALLOWED[room] | {room}


def test_readme_lists_the_layers_that_there_are() -> None:
    from deeplab_caffe import caffe

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"<!-- layers -->(.*?)<!-- /layers -->", text, re.DOTALL)
    assert match, "README.md has no list of layers between <!-- layers --> and <!-- /layers -->"
    assert re.findall(r"\w+", match[1]) == caffe.layer_type_list()


def test_readme_names_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z_]+)(?:\.%)?:", makefile, re.MULTILINE))
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
    commands = re.findall(r"(?:^|`|bin/)deeplab ([a-z-]+)(?: ([a-z-]+))?", text, re.MULTILINE)
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
