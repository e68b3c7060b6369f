"""The pages: every one is linked from the index, every link leads somewhere, generated ones are what is generated."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

import foreign_fields_page
import lint_rules_page
from deeplab_caffe import __version__, caffe
from deeplab_caffe.inspection.lint import RULES

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
ROOT_PAGES = sorted(ROOT.glob("*.md"))
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _links(page: Path) -> list[str]:
    """The links of a page to files, without those of the web."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in _LINK.findall(text) if not link.startswith(("http", "mailto"))]


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# -- links


@pytest.mark.parametrize("page", [*ROOT_PAGES, *PAGES], ids=_name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), link


def test_the_index_links_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _links(index)}
    missing = [_name(page) for page in PAGES if page != index and page.resolve() not in linked]
    assert not missing, f"docs/index.md does not link {', '.join(missing)}"
    assert (ROOT / "docs" / "index.md").resolve() in {
        (ROOT / link.partition("#")[0]).resolve() for link in _links(ROOT / "README.md")
    }


# -- the pages that are generated


def test_the_page_of_lint_rules_is_what_is_generated() -> None:
    committed = lint_rules_page.PAGE.read_text(encoding="utf-8")
    assert committed == lint_rules_page.page(), "make docs writes docs/lint-rules.md again"


def test_the_page_of_foreign_fields_is_what_is_generated():
    committed = foreign_fields_page.PAGE.read_text(encoding="utf-8")
    assert committed == foreign_fields_page.page(), "make docs writes docs/foreign-fields.md again"


def test_the_page_of_layer_types_is_what_is_generated() -> None:
    pytest.importorskip("onnx")
    import layer_types_page

    committed = layer_types_page.PAGE.read_text(encoding="utf-8")
    assert committed == layer_types_page.page(), "make docs writes docs/layer-types.md again"


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_says_why(name: str) -> None:
    reason = RULES[name].reason
    assert reason.endswith(".") and len(reason) > 20, f"the rule {name} needs a docstring that says why it is a mistake"


def test_the_page_of_conformance_has_every_layer_type() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([A-Z]\w*) \|", page, re.MULTILINE) == caffe.layer_type_list(), "run make conformance"


# -- contributing


def test_paths_in_contributing_exist() -> None:
    """Every path in backticks, but for those that a recipe makes up, which say <name>."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    roots = "python|tests|docs|prototxt|datasets|models|tools|bench|examples|.ci|.github"
    paths = set(re.findall(rf"`((?:{roots})/[^`\s]*)`", text))
    assert len(paths) > 20
    missing = sorted(path for path in paths if "<" not in path and not (ROOT / path.partition("::")[0]).exists())
    assert not missing, f"CONTRIBUTING.md names {', '.join(missing)}"


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs/design").glob("*.md"))], ids=_name)
def test_files_that_are_named_by_their_end_exist(page: Path) -> None:
    """`plan/chains.py`, wherever it is."""
    folders = [ROOT / name for name in ("python", "tests", "bench", "docs")]
    known = [f"/{path.relative_to(ROOT)}" for folder in folders for path in folder.rglob("*.py")]
    for name in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")):
        assert any(path.endswith(f"/{name}") for path in known), name


def test_tests_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 6
    for path, function in named:
        assert re.search(rf"^def {function}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{function}"


def test_a_recipe_for_each_kind_of_addition() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    for recipe in ("A layer type", "A variant", "A data set", "A lint rule", "A CRF kernel", "A command"):
        assert recipe in headings


# -- versions


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[:2] == ["Unreleased", __version__]
    assert f"## {__version__} ({citation['date-released']})" in changelog


def test_ci_runs_on_every_supported_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    job = workflow["jobs"]["run"]
    low, high = re.findall(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())[0]
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(int(low), int(high))]
    assert {"run": ".ci/run"} in job["steps"]


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.stem)
def test_issue_templates_are_forms(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        return
    assert {"name", "description", "body"} <= set(form)
    for field in form["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert field["type"] == "markdown" or field["attributes"]["label"]


def test_hooks_run_what_make_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = " ".join(hook["entry"] for hook in hooks)
    makefile = (ROOT / "Makefile").read_text()
    for tool in re.findall(r"^\t\$\(BIN\)/(\w+)", makefile.partition("\nlint:")[2].partition("\n\n")[0], re.MULTILINE):
        assert f".venv/bin/{tool}" in entries
    named = re.findall(r"\btests/\S+\.py", entries)
    assert all(os.path.exists(ROOT / path) for path in named)
