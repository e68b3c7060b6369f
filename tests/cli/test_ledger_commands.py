"""The commands of docs/ledger.md: each names a model and flags that exist, and a benchmark that takes its flags."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab_caffe.cli import testing_flags
from deeplab_caffe.cli.command_table import COMMANDS
from deeplab_caffe.cli.parser import Parser
from deeplab_caffe.experiment import published
from deeplab_caffe.nets import full_name, option_flags, published_names

REPOSITORY = Path(__file__).parents[2]
_COMMAND = re.compile(r"`((?:make|deeplab|python) [^`]*)`")


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def commands(program: str) -> list[list[str]]:
    """The words of each command of the page's tables that starts with a program, without repetition."""
    rows = [line for line in (REPOSITORY / "docs/ledger.md").read_text().splitlines() if line.startswith("| ")]
    texts = [text for row in rows for text in _COMMAND.findall(row)]
    parts = dict.fromkeys(part.strip() for text in texts for part in text.split("&&"))
    return [words for words in map(shlex.split, parts) if words[0] == program]


def called_by_make(words: list[str]) -> list[list[str]]:
    """What the Makefile's rule for experiments calls: `deeplab <stage> <target> <ARGS>` for each target."""
    targets = [word.partition(".") for word in words[1:] if not word.startswith("ARGS=")]
    flags = [flag for word in words if word.startswith("ARGS=") for flag in shlex.split(word.partition("=")[2])]
    return [[stage or "all", name, *flags] for name, _, stage in targets]


def parsed(words: list[str]) -> argparse.Namespace:
    """The flags of a command of `deeplab`; exits if one is unknown."""
    command = COMMANDS[words[0]]
    parser = Parser(prog=" ".join(words))
    parser.set_defaults(command=command.name)
    importlib.import_module(f"deeplab_caffe.cli.commands.{command.module}").add_arguments(parser)
    return parser.parse_args(words[1:])


def test_each_command_names_a_model_and_flags_that_exist() -> None:
    calls = [call for words in commands("make") for call in called_by_make(words)]
    calls += [words[1:] for words in commands("deeplab")]
    names = set(published_names())
    for words in dict.fromkeys(map(tuple, calls)):
        found = parsed(list(words))
        if words[0] != "list":
            assert full_name(found.name) in names, words
            published(full_name(found.name), option_flags.from_arguments(found), testing_flags.from_arguments(found))
    assert len(calls) > 100


@pytest.mark.parametrize("script", sorted({words[1] for words in commands("python")}))
def test_each_benchmark_takes_its_flags(script: str) -> None:
    run = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    words = [word for words in commands("python") if words[1] == script for word in words]
    for flag in sorted({word for word in words if word.startswith("--")}):
        assert re.search(rf"^  {flag}\b", run.stdout, re.MULTILINE), flag
