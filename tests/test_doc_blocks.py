"""The blocks of pages: each is run, or says why not; all that they call is known, with the flags that they give it."""

from __future__ import annotations

import doctest
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

import doc_folder
from deeplab_caffe import cli
from deeplab_caffe.cli.main import _look_up, _module, parser_of
from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import full_name
from doc_blocks import DATA, FOREIGN, PAGES, ROOT, Block, Command, blocks, commands, deeplab_words, made_words
from small_search import search_little

BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
WITH_CODE = [page for page in PAGES if any(b.not_run is None and b.language in ("sh", "python") for b in blocks(page))]
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# -- what blocks are, and whether they say why they are not run


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_what_it_is(block: Block) -> None:
    known = ("sh", "python", "setup", *DATA)
    assert block.language in known, f"{block}: expected one of {', '.join(known)}, got ```{block.language}"
    typed = re.search(r"^(deeplab |make |\.venv/|import |from \w+ import )", block.text, re.MULTILINE)
    assert block.language or not typed, f"{block}: say ```sh or ```python, so that it is checked"
    if block.not_run is not None:
        assert len(block.not_run) >= 8, f"{block}: <!-- not run: … --> has to say why"
    if (block.not_run or "").startswith("run by "):
        test = ROOT / block.not_run.removeprefix("run by ")
        assert test.is_file() and block.page.name in test.read_text(encoding="utf-8"), f"{block}: {block.not_run}"


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_of_pages_are_known(block: Block) -> None:
    for line, found in commands(block.text):
        for command in found:
            problem = _problem(command)
            assert not problem, f"{block}: {line.strip()}\n{problem}"


def _problem(command: Command) -> str:
    """What is wrong with a command; empty if nothing is."""
    program = command.words[0].rpartition("/")[2]
    words = deeplab_words(command.words)
    if program == "make":
        try:
            words = made_words(command.words)
            return _make_problem(command.words[1]) if words is None else _deeplab_problem(words, command.complete)
        except InputError as error:
            return str(error)
    if words is not None:
        return _deeplab_problem(words, command.complete)
    if program == "python" and command.words[1].startswith(("examples/", "bench/")):
        return _script_problem(command.words)
    if program.removesuffix(".py") in FOREIGN or program == "torchrun":
        return ""
    return f"'{program}' is no program that pages use; FOREIGN in tests/doc_blocks.py lists those of others"


def _deeplab_problem(words: list[str], complete: bool) -> str:
    if not words or words[0] in ("-h", "--help", "--version", "help"):
        return ""
    command, rest = _look_up(words)
    if command is None:
        return f"there is no command deeplab {words[0]}"
    name = f"deeplab {command.name}"
    try:
        module = _module(command, rest)
        if hasattr(module, "PROGRAM"):
            module.PROGRAM.parse(rest)
            return ""
        parser = parser_of(name, command, module)
        parser.exit = _refuse  # type: ignore[method-assign]
        parser.parse_args(rest)
        if older := {word.partition("=")[0] for word in rest} & {*parser._option_string_actions} - {*parser.flags()}:
            return f"{min(older)} is an earlier name of a flag; pages have today's"
        if command.module == "run_stages" and rest[0] not in ("demo", "--help") and "/" not in rest[0]:
            full_name(rest[0])
    except _Refused as refused:
        return "" if not complete and "are required" in str(refused) else str(refused)
    except InputError as error:
        return str(error)
    return ""


class _Refused(Exception):
    pass


def _refuse(status: int = 0, message: str | None = None) -> None:
    if status:
        raise _Refused(message)


def _make_problem(target: str) -> str:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    if f"\n{target}:" in makefile or target.endswith("_data") or target in ("voc_data", "pydensecrf"):
        return ""
    return f"there is no target {target}"


def _script_problem(words: list[str]) -> str:
    """A script of the repository has every flag that it is given; --help would import it, so its text is searched."""
    script = ROOT / words[1]
    if not script.is_file():
        return f"there is no {words[1]}"
    text = script.read_text(encoding="utf-8")
    flags = [word.partition("=")[0] for word in words[2:] if word.startswith("-")]
    return "".join(f"{words[1]} has no flag {flag}" for flag in flags if f'"{flag}"' not in text)


# -- running them


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pages take for granted; each page gets a copy."""
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        search_little(patch)
        doc_folder.make(folder)
    return folder


@pytest.fixture
def in_a_copy(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "folder"
    shutil.copytree(prepared, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    search_little(monkeypatch)
    yield folder


@pytest.mark.parametrize("page", WITH_CODE, ids=_name)
def test_blocks_of_pages_run(page: Path, in_a_copy: Path) -> None:
    """All of a page that is not marked, in its order; Python in one name space."""
    names: dict[str, object] = {"__name__": "page", **doc_folder.names()}
    for block in blocks(page):
        if block.not_run is None and block.language == "sh":
            _run_shell(block)
        elif block.not_run is None and block.language in ("python", "setup"):
            names = _run_python(block, names)


def _run_python(block: Block, names: dict[str, object]) -> dict[str, object]:
    """Run a block; one with `>>>` is compared with what it says."""
    if ">>> " in block.text:
        test = doctest.DocTestParser().get_doctest(block.text, names, str(block), str(block.page), block.line)
        result = doctest.DocTestRunner(optionflags=_FLAGS).run(test, clear_globs=False)
        assert not result.failed, str(block)
        return test.globs
    exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)
    return names


def _run_shell(block: Block) -> None:
    for line, found in commands(block.text):
        words = deeplab_words(found[0].words)
        if words is not None and found[0].alone:
            code = _deeplab([path for word in words for path in _matching(word, line)])
        elif found[0].alone and found[0].words[1:2] and found[0].words[1].startswith("examples/"):
            code = _script(found[0].words[1:])
        else:
            code = _bash(line)
        assert code in (0, None, 1), f"{block}: {line.strip()}: exit code {code}"  # 1 is an answer, such as "differs"


def _matching(word: str, line: str) -> list[str]:
    """The files of a pattern, as a shell gives them; a word that is none, or stands in quotes, stays as it is."""
    return sorted(glob(word)) or [word] if "*" in word and f'"{word}"' not in line else [word]


def _deeplab(words: list[str]) -> int | None:
    try:
        return cli.main(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) or stop.code is None else 2


def _script(words: list[str]) -> int:
    before, sys.argv = sys.argv, words
    try:
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")
    finally:
        sys.argv = before
    return 0


def _bash(line: str) -> int:
    """A line that is more than one call of deeplab, by the shell itself."""
    shim = Path("bin")
    shim.mkdir(exist_ok=True)
    (shim / "deeplab").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m deeplab_caffe.cli "$@"\n')
    (shim / "deeplab").chmod(0o755)
    paths = os.pathsep.join([str(shim.resolve()), os.environ["PATH"]])
    python = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": python}
    return subprocess.run(["bash", "-euc", line], env=environment, timeout=120).returncode


# -- the checks find what they are for


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("deeplab predict photo.jpg --exq exper/demo", "unknown flag '--exq'"),
        ("deeplab predct photo.jpg", "no command"),
        ("deeplab crf-search … --schedular tcp://host:8786", "unknown flag '--schedular'"),
        ('make voc_largefov ARGS="--gpus 0"', "unknown flag '--gpus'"),
        ("make voc_largefof.train", "largefov"),
        ("make dosc", "no target"),
        ("deeplab predict photo.jpg --exp exper/demo --dataset voc12", "--dataset is an earlier name"),
        ("tools/caffe train --slover=solver.prototxt", "unknown flag '--slover'"),
        ("O=--nope\ndeeplab all demo $O", "unknown flag '--nope'"),
        (".venv/bin/python examples/own_data.py images labels --class a", "no flag --class"),
        ("wget http://host/file", "no program that pages use"),
    ],
)
def test_a_wrong_command_is_found(line: str, part: str) -> None:
    problems = [_problem(command) for _, found in commands(line) for command in found]
    assert any(part in problem for problem in problems), problems


def test_marks_and_hidden_blocks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    python = "<!-- setup\nx = 1\n-->\n\n```python\nx\n```\n\n"
    page.write_text(f"{python}<!-- not run: needs VOC -->\n```sh\nmake\n```\n```\n```\n")
    found = [(block.language, block.text, block.not_run) for block in blocks(page)]
    assert found == [("setup", "x = 1\n", None), ("python", "x\n", None), ("sh", "make\n", "needs VOC"), ("", "", None)]
