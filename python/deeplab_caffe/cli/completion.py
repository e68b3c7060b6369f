"""Shell completion: all commands as one tree of parsers, of which shtab makes the script of a shell."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any

import shtab

from ..data import described_names
from ..nets import published_names
from .command_table import COMMANDS, Command
from .main import command_modules, fill
from .parser import Parser

SHELLS = ("bash", "zsh", "fish")
#: headings whose commands are not offered
_HIDDEN = ("older names",)
#: what `caffe` does, its first word
_CAFFE = ("train", "test", "time", "device_query", "save")


def script(shell: str) -> str:
    """The script that completes `deeplab` in bash, zsh or fish: commands, flags and their values, models, files."""
    more = _SECOND_WORD_IS_A_MODEL[shell](" ".join(_models()))
    last = more if shell == "fish" else ""  # whose script begins with the removal of what there is
    text: str = shtab.complete(tree(), shell, preamble="" if last else {shell: more})  # type: ignore[arg-type]
    return f"{text.rstrip()}\n{last}"


def tree() -> Parser:
    """All commands as one parser: groups such as `weights` have the second words as commands of theirs."""
    root = Parser(prog="deeplab")
    first = root.add_subparsers()
    groups: dict[str, Any] = {}
    shown = [command for command in COMMANDS.values() if command.group not in _HIDDEN]
    for command in sorted(shown, key=lambda command: " " in command.name):  # a group that is a command as well is first
        word, _, second = command.name.partition(" ")
        if second and word not in groups:
            node = first.add_parser(word, help=_words_of(word), description=_words_of(word))
            groups[word] = _below(node)
        parent = groups[word] if second else first
        node = parent.add_parser(second or word, help=command.help)
        _fill(node, command)
        if not second and any(name.startswith(f"{word} ") for name in COMMANDS):
            groups[word] = _below(node)
    return root


def _words_of(group: str) -> str:
    return ", ".join(name.partition(" ")[2] for name in COMMANDS if name.startswith(f"{group} "))


def _below(node: argparse.ArgumentParser) -> Any:
    """The place of a group's commands; the first argument of a command that is a group as well gives way."""
    if node._subparsers is not None:
        return node._subparsers._group_actions[0]
    for action in node._get_positional_actions():
        node._remove_action(action)
    return node.add_subparsers()


def _fill(node: Any, command: Command) -> None:
    """The flags and arguments of a command, each with what completes it."""
    for module in command_modules(command):
        other = Parser(prog=f"deeplab {command.name}", add_help=False)
        if hasattr(module, "PROGRAM"):
            _add_gflags(other, module.PROGRAM, command.name)
        else:
            fill(other, command, module)
        for action in other._actions:
            _take(node, action)


def _take(node: Any, action: argparse.Action) -> None:
    if isinstance(action, argparse._SubParsersAction):
        below = node.add_subparsers()
        for name, parser in action.choices.items():
            for inner in parser._actions:
                _mark(inner)
            below._name_parser_map[name] = parser
            below._choices_actions.append(below._ChoicesPseudoAction(name, (), parser.description))
        return
    known = [name for name in action.option_strings if name in node._option_string_actions]
    if known or isinstance(action, argparse._HelpAction):
        return
    _mark(action)
    node._add_action(action)


def _add_gflags(parser: Parser, program: Any, name: str) -> None:
    """The flags of one of Caffe's programs."""
    if name == "caffe":
        parser.add_argument("action", choices=_CAFFE)
    for flag in program.flags:
        how: dict[str, Any] = {"action": "store_true"} if flag.default is False else {"metavar": "VALUE"}
        parser.add_argument(f"--{flag.name}", help=flag.help, **how)
    parser.add_argument("files", nargs="*", metavar="FILE")


# -- what completes an argument


def _models() -> list[str]:
    return ["demo", *published_names()]


def _mark(action: argparse.Action) -> None:
    """Say what completes the values of an argument."""
    if action.nargs == 0 or action.choices:
        return
    place = f"{action.option_strings[-1] if action.option_strings else action.dest} {action.metavar or ''}"
    for pattern, kind in _KINDS:
        if re.search(pattern, place):
            action.complete = kind()  # type: ignore[attr-defined]
            return


def _named(name: str, words: Callable[[], Sequence[str]], *suffixes: str) -> Callable[[], Any]:
    """Words, and files or folders beside them.

    Args:
        name: that of the function in the scripts.
        suffixes: those of the files, such as ".toml".
    """

    def kind() -> Any:
        known = " ".join(words())
        bash = "\n  ".join(["compgen -d -- \"$1\"", *(f"compgen -f -X '!*{s}' -- \"$1\"" for s in suffixes)])
        zsh = f"_files -g '*({'|'.join(suffixes)})'"
        fish = "\n  ".join(f"__fish_complete_suffix {s}" for s in suffixes)
        return {
            "bash": f"_deeplab_{name}_file",
            "zsh": f"_deeplab_{name}",
            "fish": f"(_deeplab_{name})",
            "preamble": {
                "bash": f'_deeplab_{name}_file() {{\n  compgen -W "{known}" -- "$1"\n  {bash}\n}}',
                "zsh": f"_deeplab_{name}() {{\n  compadd -- {known}\n  {zsh}\n}}",
                "fish": f"function _deeplab_{name}\n  printf '%s\\n' {known}\n  {fish}\nend",
            },
        }

    return kind


_DATA = _named("data", described_names, ".toml")
_NET = _named("net", lambda: list(published_names()), ".prototxt", ".deeplab")
_EXPERIMENT = _named("experiment", _models, ".deeplab")
_WEIGHTS = shtab.glob("*.caffemodel", "*.h5", "*.pth", "*.pt", "*.safetensors", "*.deeplab")
#: pattern of "flag or name, metavar", and what completes it; the first that fits
_KINDS: tuple[tuple[str, Callable[[], Any]], ...] = (
    (r"^--data |DATASET", _DATA),
    (r"^(--exp|experiment|results|--apply|--add|name NAME)\b(?! FILE)", _EXPERIMENT),
    (r"^(--to|--net|--from-net|net) ", _NET),
    (r"^--weights ", lambda: _WEIGHTS),
    (r"FOLDER$|DIR$|ANNOTATIONS$|^--folder ", lambda: shtab.DIRECTORY),
    (r"FILE|OUT$|HTML|ARCHIVE|LOG|SCRIPT|SOURCE|MODEL$|MANIFEST$", lambda: shtab.FILE),
    (r"^(files|file|first|second|before|after) ", lambda: shtab.FILE),
)

#: in each script: `prototxt` is a group, and takes a model as well
_SECOND_WORD_IS_A_MODEL: dict[str, Callable[[str], str]] = {
    "bash": lambda models: f"_shtab_deeplab_prototxt_pos_0_choices+=({models})\n",
    "zsh": lambda models: (
        "functions[_deeplab_prototxt_seconds]=$functions[_shtab_deeplab_prototxt_commands]\n"
        f"_shtab_deeplab_prototxt_commands() {{\n  _deeplab_prototxt_seconds\n  compadd -- {models}\n}}\n"
    ),
    "fish": lambda models: (
        "complete -c deeplab -n '_shtab_deeplab_using prototxt; and test $_shtab_deeplab_npos -eq 0' "
        f"-ka '{models}'\n"
    ),
}
