"""The flag --set, which sets template variables."""

from __future__ import annotations

import argparse

from ..formats.templates import TemplateValues, template_values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of the template variable ${NAME}; default: the environment variable",
    )


def values(arguments: argparse.Namespace) -> TemplateValues:
    """The values of --set, and the environment variables."""
    return template_values(arguments.set)
