"""`deeplab list`: lists all models."""

from __future__ import annotations

import argparse

from ...files import write_text
from ...nets import listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", metavar="FILE", help="write the list as a Markdown page, docs/models.md")


def run(arguments: argparse.Namespace) -> None:
    if arguments.markdown:
        write_text(arguments.markdown, listing.as_markdown())
        print(f"wrote {arguments.markdown}")
    else:
        print(listing.as_text(), end="")
