"""`deeplab completion`: the script with which a shell completes the command line of `deeplab`."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "For bash: deeplab completion bash > ~/.local/share/bash-completion/completions/deeplab; for zsh into the file "
        "_deeplab of a folder of $fpath; for fish into ~/.config/fish/completions/deeplab.fish. The next shell "
        "completes commands, flags and their values, models, data sets and files."
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


def run(arguments: argparse.Namespace) -> None:
    from ..completion import script

    print(script(arguments.shell), end="")
