"""Writes docs/command-line.md: every command of `deeplab` with its arguments, read from the parsers themselves.

python docs/mkdocs/command_line_page.py

The text is made here rather than by argparse, whose help differs between versions of Python.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeplab_caffe.cli.command_table import COMMANDS, Command
from deeplab_caffe.cli.gflags import Flag, Program
from deeplab_caffe.cli.main import parser_of

PAGE = Path(__file__).parent.parent / "command-line.md"
HEAD = """\
# The command line

This page is written by `make docs` from the parsers of the commands, so it has every flag that there is.
`deeplab COMMAND --help` prints the same. In a clone the command is `.venv/bin/deeplab`.

Every command ends with exit code 0 if all went well, and with 2 if something is wrong with what it was given: one line
on stderr says what. 3 means that a training is no longer finite, 130 and 143 that Ctrl-C or SIGTERM stopped it. Some
commands have 1 for an answer that is no error, such as differences that were found.
"""
_TYPES = {bool: "true or false", int: "integer", float: "number", str: "text"}


def page() -> str:
    """The text of the page."""
    shown: dict[str, str] = {}
    parts, group = [HEAD, _overview()], ""
    for command in COMMANDS.values():
        if command.group != group:
            group = command.group
            parts.append(f"## {_capital(group)}\n")
        parts.append(_section(command, shown))
    return "\n".join(parts)


def _overview() -> str:
    """A table of all commands that leads to their sections."""
    rows = [f"| [{name}](#{_anchor(name)}) | {_cell(command.help)} |" for name, command in COMMANDS.items()]
    return "\n".join(["| command | what it does |", "|---|---|", *rows, ""])


def _section(command: Command, shown: dict[str, str]) -> str:
    """The section of a command; `shown` has the tables of the page so far, with the command that each belongs to."""
    words, table = _usage_and_table(command)
    usage = f"```text\ndeeplab {' '.join([command.name, *words])}\n```\n"
    if table and table in shown:
        other = shown[table]
        table = f"The arguments are those of [deeplab {other}](#{_anchor(other)}).\n"
    shown.setdefault(table, command.name)
    return "\n".join([f"### deeplab {command.name}\n", f"{_capital(command.help)}.\n", usage, table])


def _usage_and_table(command: Command) -> tuple[list[str], str]:
    module = importlib.import_module(f"deeplab_caffe.cli.commands.{command.module}")
    if hasattr(module, "PROGRAM"):
        return _of_program(module.PROGRAM)
    parser = parser_of(f"deeplab {command.name}", command)
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    words = [_spelling(action) for action in actions if not action.option_strings or action.required]
    optional = [action for action in actions if action.option_strings and not action.required]
    return words + ["[flags]"] * bool(optional), _table(_rows(parser))


def _of_program(program: Program) -> tuple[list[str], str]:
    """The usage of one of Caffe's programs, whose flags are those of gflags."""
    usage = re.sub(r"\s+", " ", program.usage.partition("\n\n")[0])
    words = usage.removeprefix("usage: ").split(" ")[1:]
    return words, _table((f"`--{flag.name}=`{_TYPES[type(flag.default)]}", _flag_help(flag)) for flag in program.flags)


def _flag_help(flag: Flag) -> str:
    default = str(flag.default).lower() if isinstance(flag.default, bool) else flag.default
    return f"{flag.help} (`{default}`)" if default != "" else flag.help


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.help != argparse.SUPPRESS and a.dest != "help"]
        if actions and group.title not in ("positional arguments", "options"):
            yield f"**{group.title}**", group.description or ""
        for action in actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from _rows_of_choices(action)
                continue
            flags = [f"`{_with_value(flag, action)}`" for flag in action.option_strings]
            yield ", ".join(flags) or f"`{_spelling(action)}`", formatter._expand_help(action) if action.help else ""


def _rows_of_choices(action: argparse._SubParsersAction) -> Iterator[tuple[str, str]]:
    """The words that a first argument may be, each with the arguments behind it."""
    helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
    for name, parser in action.choices.items():
        yield f"**{name}**", helps.get(name, "")
        yield from _rows(parser)


def _spelling(action: argparse.Action) -> str:
    """An argument in a usage line: `SOURCE…`, `[LIST]`, `--exp FOLDER`."""
    if action.option_strings:
        return _with_value(action.option_strings[-1], action)
    name = _value(action)
    many = action.nargs in ("+", "*") or action.nargs == argparse.REMAINDER
    named = f"{name}…" if many else name
    return f"[{named}]" if action.nargs in ("?", "*") else named


def _with_value(flag: str, action: argparse.Action) -> str:
    if action.nargs == 0:
        return flag
    value = _value(action)
    value = f"{value}…" if action.nargs in ("+", "*") else f"[{value}]" if action.nargs == "?" else value
    return f"{flag} {value}"


def _value(action: argparse.Action) -> str:
    """The word that stands for an argument's value."""
    stated: Any = action.metavar
    if isinstance(stated, tuple):
        return " ".join(stated)
    if stated:
        return str(stated).replace("...", "WORDS").replace("|", " or ")  # a bar would end the cell of the table
    if action.choices:
        return f"{{{','.join(map(str, action.choices))}}}"
    return action.dest.upper().replace("_", "-")


def _table(rows: Any) -> str:
    lines = [f"| {name} | {_cell(text)} |" for name, text in rows]
    return "\n".join(["| argument | meaning |", "|---|---|", *lines, ""]) if lines else ""


def _cell(text: str) -> str:
    """A text in a cell of a table: in one line, and nothing of it is markup."""
    plain = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"([|<*_\[\]])", r"\\\1", plain) if "`" not in plain else plain.replace("|", "\\|")


def _anchor(name: str) -> str:
    return f"deeplab-{name.replace(' ', '-')}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
