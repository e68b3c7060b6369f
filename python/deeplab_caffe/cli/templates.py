"""The flag that gives template variables their values."""

from __future__ import annotations

import argparse

from ..formats.templates import TemplateValues, template_values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of the template variable ${NAME}; else the environment's",
    )


def values(arguments: argparse.Namespace) -> TemplateValues:
    """The values that were set, and the environment's."""
    return template_values(arguments.set)
