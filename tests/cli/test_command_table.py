"""The table of commands and the modules of `cli/commands/` belong to each other."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from deeplab_caffe.cli import commands, main
from deeplab_caffe.cli.command_table import COMMANDS

_MODULES = sorted({command.module for command in COMMANDS.values()})


def test_every_module_serves_a_command():
    files = {path.stem for path in Path(commands.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == set(_MODULES)


@pytest.mark.parametrize("name", _MODULES)
def test_a_module_has_its_functions(name):
    module = importlib.import_module(f"deeplab_caffe.cli.commands.{name}")
    assert module.__doc__ and callable(module.run)
    assert hasattr(module, "PROGRAM") != hasattr(module, "add_arguments")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(name, capsys):
    try:
        code = main([*name.split(), "--help"])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 0 and "usage: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["weights"], 2, "weights convert"),
        (["export", "-h"], 0, "export onnx"),
        (["help"], 0, "usage: deeplab COMMAND"),
        (["help", "weights"], 0, "weights show"),
        (["weights", "help"], 0, "weights show"),
        (["trian"], 2, "unknown command 'trian'; did you mean 'train'?"),
        (["weights", "shwo"], 2, "unknown command 'weights shwo'; did you mean 'weights show'?"),
        (["weights", "qqqqqq"], 2, "unknown command 'weights qqqqqq'; the commands are weights show, "),
        (["qqqqqq"], 2, "unknown command 'qqqqqq'; see `deeplab --help`"),
    ],
)
def test_groups_list_their_commands_and_near_names_are_suggested(words, code, expected, capsys):
    assert main(words) == code
    assert expected in "".join(capsys.readouterr())


def test_help_of_a_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["help", "train"])
    assert stop.value.code == 0
    assert "usage: deeplab train" in capsys.readouterr().out



@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "demo", "--itertions"], "train: error: unknown flag '--itertions'; did you mean '--iterations'?"),
        (["train", "demo", "--qqqq=5"], "train: error: unknown flag '--qqqq'; see `deeplab train --help`"),
        (["weights", "show", "a", "--jsn"], "weights show: error: unknown flag '--jsn'; did you mean '--json'?"),
        (["list", "extra"], "list: error: unexpected argument 'extra'; see `deeplab list --help`"),
        (["train"], "train: error: the following arguments are required: NAME"),
    ],
)
def test_a_wrong_flag_is_one_line_with_the_nearest_flag(words, expected, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"deeplab {expected}\n"
