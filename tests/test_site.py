"""The documentation as a site: all pages are in the navigation, generated ones are current, and it stands alone."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: what a page of the site may load: files of the site itself, and pictures inside the page
_LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]*)")


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "mkdocs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Loader(yaml.SafeLoader):
    """mkdocs.yml names a function of Python, which is not of interest here."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
CONFIG = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)


def _pages(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    items = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return [page for item in items for page in _pages(item)]


def test_the_navigation_has_every_page_once() -> None:
    pages = _pages(CONFIG["nav"])
    assert sorted(set(pages)) == sorted(pages)
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {page for page in pages if not page.startswith(("api/", "repository/"))} == written, "mkdocs.yml, nav"


def test_the_navigation_has_the_modules_of_the_api() -> None:
    api = _script("python_api_page")
    modules = {f"api/{part.module.removeprefix('deeplab_caffe.')}.md" for part in api.PARTS}
    assert {page for page in _pages(CONFIG["nav"]) if page.startswith("api/")} == modules


def test_the_navigation_names_files_of_the_repository() -> None:
    for page in _pages(CONFIG["nav"]):
        if page.startswith("repository/"):
            path = ROOT / page.removeprefix("repository/")
            assert path.is_file() or path.with_suffix(".ipynb").is_file(), page


@pytest.mark.parametrize("name", ["command_line_page", "python_api_page"])
def test_generated_pages_are_current(name: str) -> None:
    script = _script(name)
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), f"make docs writes {script.PAGE.name} again"


def test_the_command_line_has_every_command_and_flag() -> None:
    from deeplab_caffe.cli.command_table import COMMANDS

    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert re.findall(r"^### deeplab (.+)$", text, re.MULTILINE) == list(COMMANDS)
    assert "| `-o FOLDER`, `--output FOLDER` |" in text  # argparse
    assert "| `--solver=`text |" in text  # gflags
    assert "| **cityscapes** |" in text  # subparsers


def test_shared_lines_of_docstrings_are_written_for_each_name() -> None:
    pytest.importorskip("griffe", reason="needs the extra docs: make docs installs it")
    text = "Args:\n    height, width: in pixels,\n        more.\n    seed: of the draw.\n\nExample:\n    >>> 1\n    1"
    read = _script("docstrings").google_style(text)
    lines = "    height: in pixels,\n        more.\n    width: in pixels,\n        more.\n    seed: of the draw."
    assert read == f"Args:\n{lines}\n\nExamples:\n    >>> 1\n    1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a warning fails it, such as a link or an anchor that leads nowhere."""
    for module in ("mkdocs", "material", "mkdocstrings", "nbconvert"):
        pytest.importorskip(module, reason="needs the extra docs: make docs installs it")
    out = tmp_path_factory.mktemp("site")
    python = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": python, "NO_MKDOCS_2_WARNING": "1"}
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, _warnings(words, environment)
    return out


def _warnings(words: list[str], environment: dict[str, str]) -> str:
    """What was wrong: --quiet, which is quicker to read, does not say it."""
    loud = [word for word in words if word != "--quiet"]
    done = subprocess.run(loud, cwd=ROOT, env=environment, capture_output=True, text=True)
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO"))


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        assert not _LOADED.findall(page.read_text(encoding="utf-8")), page


def test_the_site_has_the_files_that_pages_link(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    for page in ("repository/CONTRIBUTING.html", "repository/examples/notebooks/port_weights.html", "faq.html"):
        assert f'href="{page}"' in index and (site / page).is_file(), page
    assert 'href="repository/datasets/camvid.toml.html"' in (site / "your-data.html").read_text(encoding="utf-8")


def test_the_site_shows_docstrings_and_notebooks(site: Path) -> None:
    crf = (site / "api/crf.html").read_text(encoding="utf-8")
    assert "dense_crf" in crf and "Raises:" in crf and "&gt;&gt;&gt; " in re.sub(r"<[^>]+>", "", crf)
    notebook = (site / "repository/examples/notebooks/predict_and_crf.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in notebook
    assert (site / "search/search_index.json").is_file()
