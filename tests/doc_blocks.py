"""The code blocks of pages: which are run, and the commands of those that a shell would run.

A block of Python or shell is run by `tests/test_doc_blocks.py`, unless a comment above it says why not:

    <!-- not run: needs VOC -->

or one at the head of the page names a test that runs them all: `<!-- run by tests/porting/test_guide.py -->`.
`<!-- setup … -->` holds Python that is run before the blocks below it, and that readers do not see.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
#: the pages whose blocks are looked at; those of lint rules and of the command line are generated
PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name / "README.md" for name in ("examples", "prototxt")),
    ]
    if path.name not in ("lint-rules.md", "command-line.md")
)
#: the languages of blocks that nobody types
DATA = ("", "text", "toml", "json", "prototxt", "html", "yaml", "diff", "csv", "ini", "lua", "elisp")
#: programs of others, whose arguments are not checked
FOREIGN = (
    "pip", "pytest", "find", "shuf", "head", "tail", "tee", "mkdir", "export", "cd", "dask", "pre-commit", "mkdocs",
    "python", "git", "ls", "cat", "cp", "caffe", "docker", "podman", "tensorboard", "sed",
)  # fmt: skip
_FENCE = re.compile(r"^( *)```(\w*)")
_MARK = re.compile(r"<!-- not run: (.+?) -->")
_RUN_BY = re.compile(r"<!-- run by (\S+) -->")
_SETUP = re.compile(r"<!-- setup\n(.*?)-->", re.DOTALL)
_OPERATORS = re.compile(r"[;|&<>]+")


class Block(NamedTuple):
    """A block of a page: its place, its language, its text, and why it is not run, if it is not."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


class Command(NamedTuple):
    """One command of a shell block.

    Attributes:
        words: the program and its arguments, without assignments before it and redirections behind it.
        complete: whether all of its words are there; `…` stands for some that are left out.
        alone: whether it is a line of its own, without assignments, pipes and redirections.
    """

    words: list[str]
    complete: bool
    alone: bool


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, from its top; hidden ones have the language "setup"."""
    text = page.read_text(encoding="utf-8")
    text = _SETUP.sub(lambda m: f"```setup\n{m[1]}```", text)
    elsewhere = _RUN_BY.search(text)
    usual = f"run by {elsewhere[1]}" if elsewhere else None
    lines, mark, i = text.split("\n"), usual, 0
    while i < len(lines):
        fence = _FENCE.match(lines[i])
        if fence:
            end = next(j for j in range(i + 1, len(lines)) if lines[j].strip() == "```")
            inside = [line.removeprefix(fence[1]) for line in lines[i + 1 : end]]
            yield Block(page, i + 1, fence[2], "\n".join([*inside, ""]), mark)
            mark, i = usual, end
        elif lines[i].strip():
            stated = _MARK.search(lines[i])
            mark = stated[1] if stated else usual
        i += 1


def commands(text: str) -> Iterator[tuple[str, list[Command]]]:
    """Each line of a shell block, continued lines joined, with its commands."""
    values: dict[str, str] = {}
    for line in text.replace("\\\n", " ").split("\n"):
        assigned = re.fullmatch(r"([A-Z]+)=(\"[^\"]*\"|\S+)", line.strip())
        if assigned:
            values[assigned[1]] = _expanded(assigned[2].strip('"'), values)
            continue
        line = _expanded(line, values)
        found = list(_commands(line))
        if found:
            yield line, found


def _expanded(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda m: values.get(m[1], m[0]), text)


def _commands(line: str) -> Iterator[Command]:
    optional = re.sub(r"\[((?:-|[A-Z] ?…?)[^\]]*)\]", r"\1", line)  # [--trimap 1:40]
    lexer = shlex.shlex(optional, posix=True, punctuation_chars=";|&<>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if _OPERATORS.fullmatch(word):
            redirected = "<" in word or ">" in word
            if redirected and parts[-1][-1:] == ["2"]:
                parts[-1].pop()
            parts += [] if redirected else [[]]
        elif not redirected:
            parts[-1].append(word)
        else:
            redirected = False
    parts = [part for part in parts if part]
    for part in parts:
        words = list(dropwhile(re.compile(r"[A-Z_]+=").match, part))
        whole = [word for word in words if "…" not in word]
        if whole:
            alone = len(parts) == 1 and len(words) == len(part) and not _OPERATORS.search(_unquoted(optional))
            yield Command(whole, len(whole) == len(words), alone)


def _unquoted(line: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'|#.*", "", line)


def deeplab_words(words: list[str]) -> list[str] | None:
    """The words behind `deeplab` of a command that runs it, under any of its names; None for another program."""
    program = words[0].rpartition("/")[2]
    if program == "deeplab":
        return words[1:]
    if words[0].startswith("tools/"):
        return [program, *words[1:]]
    if "deeplab_caffe.cli" in words:  # python -m, torchrun -m
        return words[words.index("deeplab_caffe.cli") + 1 :]
    return None


def made_words(words: list[str]) -> list[str] | None:
    """The words behind `deeplab` that a make target of an experiment runs; None for another target."""
    targets = [word for word in words[1:] if "=" not in word]
    values = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    name, _, stage = targets[0].partition(".")
    if name != "demo" and (_is_rule(targets[0]) or "_" not in name):
        return None
    flags = [f"--{key.lower()}={values[key]}" for key in ("DATA", "EXP") if key in values]
    flags += ["--quick"] if "QUICK" in values else []
    return [stage or "all", name, *flags, *shlex.split(values.get("ARGS", ""))]


def _is_rule(target: str) -> bool:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z_-]+):", makefile, re.MULTILINE))
    rules |= {f"{name}_data" for name in re.findall(r"^DATA_SETS.*?=(.*)$", makefile, re.MULTILINE)[0].split()}
    return target in rules
