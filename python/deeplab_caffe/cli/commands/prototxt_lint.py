"""`deeplab prototxt lint`: mistakes in nets and solvers, found before anything is trained."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from ...errors import InputError
from ...inspection.lint import FORMATS, Finding, Linter, chosen, fix_file, rule_table
from .. import template_flags
from ..prototxt_files import expanded

#: how often --fix looks again at what it has mended
_ROUNDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Check nets and solvers of any dialect; a solver's nets are checked with it. Comments silence findings: "
        "'# lint: ignore=<rule>' behind a line or above a field, '# lint: ignore-file=<rule>' anywhere."
    )
    parser.epilog = "Exit codes: 0 nothing found (but notes), 1 findings, 2 a file could not be read."
    parser.add_argument("files", metavar="FILE", nargs="*", help="a file, or a folder for all .prototxt in it")
    parser.add_argument("--fix", action="store_true", help="mend what can be mended without a doubt")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text", help="(%(default)s)")
    parser.add_argument("--select", action="append", default=[], metavar="RULE,…", help="apply these rules alone")
    parser.add_argument("--ignore", action="append", default=[], metavar="RULE,…", help="leave these rules out")
    parser.add_argument("--no-shapes", action="store_true", help="quicker: do not infer the sizes of blobs")
    parser.add_argument("--files", dest="look", action="store_true", help="say which lists and mean files are missing")
    parser.add_argument("--strict", action="store_true", help="notes count as findings, too")
    parser.add_argument("--list-rules", action="store_true", help="print what is checked")
    template_flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.list_rules:
        print(rule_table())
        return 0
    if not arguments.files:
        raise InputError("name a file or a folder to check")
    values = template_flags.values(arguments)
    paths = list(dict.fromkeys(expanded(arguments.files)))
    findings, failed = _lint(arguments, paths, values)
    for _ in range(_ROUNDS if arguments.fix else 0):
        files = {f.file for f in findings if f.fixable}
        mended = sum(fix_file(file, findings, values) for file in sorted(files))
        if not mended:
            break
        print(f"mended {mended} in {', '.join(sorted(files))}", file=sys.stderr)
        findings, failed = _lint(arguments, paths, values)
    text = FORMATS[arguments.format](findings)
    if text:
        print(text)
    counted = [f for f in findings if arguments.strict or f.severity != "note"]
    return 2 if failed else 1 if counted else 0


def _lint(arguments: argparse.Namespace, paths: list[Path], values: Mapping[str, str]) -> tuple[list[Finding], bool]:
    """The findings of all files, and whether one could not be read."""
    rules = chosen(_names(arguments.select), _names(arguments.ignore), ["missing-file"] if arguments.look else [])
    linter = Linter(rules, values, shapes=not arguments.no_shapes)
    findings: list[Finding] = []
    failed = False
    for path in paths:
        try:
            findings += linter.lint(path)
        except InputError as error:
            failed = True
            print(error, file=sys.stderr)
    return findings, failed


def _names(lists: list[str]) -> list[str]:
    return [name.strip() for text in lists for name in text.split(",") if name.strip()]
