"""What mkdocs does not do by itself: files of the repository as pages, notebooks, and the details of the Python API.

The pages of docs/ are read on a forge as well, so they link files outside of docs/ (`../CONTRIBUTING.md`). Each file
that is linked becomes a page below `repository/`, and the link leads there: Markdown and notebooks as they are shown
elsewhere, other text as code, a folder as a list of its files. Nothing is fetched, and no address of a repository is
needed.
"""

from __future__ import annotations

import base64
import os
import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

sys.path.insert(0, str(Path(__file__).parent))
import python_api_page

ROOT = Path(__file__).parent.parent.parent
#: a link or picture; code is matched first, so that what looks like a link in it stays
_LINK = re.compile(r"(^ *```.*?^ *```|`[^`\n]+`)|(\]\()([^)\s]+)(\))", re.DOTALL | re.MULTILINE)
#: links to the web, to a heading of the same page, and pictures inside the page
_IN_NO_FILE = re.compile(r"[a-z]+:|#")
_LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".sh": "sh", ".lua": "lua", ".el": "elisp"}
#: the repository's path of each page that was made from a file outside of docs/
_origins: dict[str, str] = {}


def on_files(files: Files, config: Any) -> Files:
    """Add a page for every file outside of docs/ that the navigation or a page links, and the pages of the API."""
    _origins.clear()
    texts = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    waiting = {name for name in _named(config.nav) if name.startswith("repository/")}
    waiting = {path for path in map(_path_of, waiting) if path}
    for path, text in texts.items():
        waiting |= _outside(text, path)
    while waiting:
        path = waiting.pop()
        text = _text_of(path)
        _origins[_page_of(path)] = path
        files.append(File.generated(config, _page_of(path), content=text))
        waiting |= {other for other in _outside(text, path) if _page_of(other) not in _origins}
    for part in python_api_page.PARTS:
        files.append(File.generated(config, _api_page(part.module), content=_api_text(part)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links to files of the repository into links to their pages."""
    uri = page.file.src_uri
    if uri == "python-api.md":
        markdown = re.sub(r"<!-- details: (\S+) -->", lambda m: f"[All of it]({_api_page(m[1])})", markdown)
    path = _origins.get(uri, f"docs/{uri}")
    return _links(markdown, lambda link: _on_site(link, path, uri))


def _links(text: str, change: Callable[[str], str]) -> str:
    return _LINK.sub(lambda m: m[0] if m[1] else f"{m[2]}{change(m[3])}{m[4]}", text)


def _on_site(link: str, path: str, uri: str) -> str:
    """A link of the file `path` as a link of its page `uri`."""
    target, hash_, anchor = link.partition("#")
    if _IN_NO_FILE.match(link) or uri.startswith("api/"):
        return link
    return posixpath.relpath(_page_of(_target(target, path)), posixpath.dirname(uri) or ".") + hash_ + anchor


def _outside(text: str, path: str) -> set[str]:
    """The paths of the files that a text links and that are no page yet."""
    found: set[str] = set()

    def note(link: str) -> str:
        target = "" if _IN_NO_FILE.match(link) else _target(link.partition("#")[0], path)
        if target and (ROOT / target).exists() and _page_of(target).startswith("repository/"):
            found.add(target)
        return link

    _links(text, note)
    return found


def _target(link: str, path: str) -> str:
    """The path in the repository that a link in `path` leads to; a folder is its README, or ends with a slash."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    if not (ROOT / target).is_dir():
        return target
    return f"{target}/README.md" if (ROOT / target / "README.md").is_file() else f"{target}/"


def _page_of(path: str) -> str:
    """The page of a path of the repository, below docs/."""
    if path.endswith("/"):
        return f"repository/{path}index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    name = path.replace("/.", "/_")  # files with a dot are left out of a site
    return f"repository/{name if name.endswith('.md') else name.removesuffix('.ipynb') + '.md'}"


def _path_of(uri: str) -> str | None:
    """The file of a page that the navigation names."""
    path = uri.removeprefix("repository/")
    for candidate in (path, path.removesuffix(".md"), path.removesuffix(".md") + ".ipynb"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


def _named(nav: Any) -> Iterator[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        yield nav
    for item in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _named(item)


def _text_of(path: str) -> str:
    """The Markdown of a file's page."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(name for name in os.listdir(file) if not name.startswith(("_", ".")))
        rows = [f"- [{name}]({name})" if name.endswith(".md") else f"- `{name}`" for name in names]
        return "\n".join([f"# {path.rstrip('/')}", "", *rows, ""])
    if file.suffix == ".ipynb":
        return _notebook(file)
    text = file.read_text(encoding="utf-8")
    return text if file.suffix == ".md" else f"# {path}\n\n```{_LANGUAGES.get(file.suffix, 'text')}\n{text}```\n"


def _notebook(file: Path) -> str:
    """A notebook as Markdown, with the pictures inside the page."""
    text, resources = MarkdownExporter().from_notebook_node(nbformat.read(file, as_version=4))
    for name, data in resources["outputs"].items():
        text = text.replace(f"]({name})", f"](data:image/png;base64,{base64.b64encode(data).decode()})")
    return text


def _api_page(module: str) -> str:
    return f"api/{module.removeprefix('deeplab_caffe.')}.md"


def _api_text(part: python_api_page.Part) -> str:
    """The page of a module: every name with its docstring, which mkdocstrings takes from the source."""
    head = f"`from {part.module} import …`; an [overview](../python-api.md) of all modules."
    lines = [f"# {part.module}", "", head, ""]
    documented = dict(python_api_page.documented(part))
    for name in python_api_page.public_names(part):
        lines += [f"::: {documented[name]}", "    options:", "      heading_level: 2", ""] if name in documented else []
    return "\n".join(lines)
