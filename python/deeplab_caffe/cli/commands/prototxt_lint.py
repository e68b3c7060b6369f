"""`deeplab prototxt lint`: finds mistakes in nets and solvers before training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import InputError
from ...formats.bundle import is_bundle
from ...formats.prototxt import Document
from ...inspection.lint import FORMATS, Finding, Linter, chosen, fix_file, rule_table
from .. import bundled, template_flags
from ..prototxt_files import expanded
from ..terminal import shortened

#: how often --fix checks the fixed files again
_ROUNDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Check nets and solvers of any dialect; a solver is checked together with its nets. Comments suppress "
        "findings: '# lint: ignore=<rule>' behind a line or above a field, '# lint: ignore-file=<rule>' anywhere."
    )
    parser.epilog = "Exit codes: 0 no findings except notes, 1 findings, 2 a file is invalid."
    text = "a file, a folder for all .prototxt files in it, or a bundle"
    parser.add_argument("files", metavar="FILE", nargs="*", help=text)
    parser.add_argument("--fix", action="store_true", help="fix what has an unambiguous fix")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text", help="output format (%(default)s)")
    parser.add_argument("--select", action="append", default=[], metavar="RULE,…", help="apply only these rules")
    parser.add_argument("--ignore", action="append", default=[], metavar="RULE,…", help="skip these rules")
    parser.add_argument("--no-shapes", action="store_true", help="faster: do not infer the shapes of blobs")
    parser.add_argument("--files", dest="look", action="store_true", help="also report missing lists and mean files")
    parser.add_argument("--strict", action="store_true", help="count notes as findings")
    parser.add_argument("--list-rules", action="store_true", help="print the rules")
    template_flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.list_rules:
        print(rule_table())
        return 0
    if not arguments.files:
        raise InputError("missing FILE: a file or a folder to check")
    values = template_flags.values(arguments)
    paths = list(dict.fromkeys(expanded(arguments.files)))
    if arguments.fix and (held := next(filter(is_bundle, paths), None)):
        raise InputError(f"--fix: {held} is a bundle, which is not changed; write its files: deeplab bundle extract")
    findings, failed = _lint(arguments, paths, values)
    for _ in range(_ROUNDS if arguments.fix else 0):
        files = {f.file for f in findings if f.fixable}
        fixed = sum(fix_file(file, findings, values) for file in sorted(files))
        if not fixed:
            break
        print(f"fixed {fixed} in {', '.join(sorted(files))}", file=sys.stderr)
        findings, failed = _lint(arguments, paths, values)
    text = _report(arguments.format, findings, failed, len(paths))
    if text:
        print(shortened(text) if arguments.format == "text" else text)
    counted = [f for f in findings if arguments.strict or f.severity != "note"]
    return 2 if failed else 1 if counted else 0


def _report(form: str, findings: list[Finding], failed: int, files: int) -> str:
    """The findings; as text, with the number of files that could not be read."""
    if not failed or form != "text":
        return FORMATS[form](findings)
    unread = f"{failed} file{'s' * (failed != 1)} could not be read"
    return unread if failed == files else f"{FORMATS[form](findings)}; {unread}"


def _lint(arguments: argparse.Namespace, paths: list[Path], values: Mapping[str, str]) -> tuple[list[Finding], int]:
    """The findings of all files, and how many files could not be read."""
    rules = chosen(_names(arguments.select), _names(arguments.ignore), ["missing-file"] if arguments.look else [])
    linter = Linter(rules, values, shapes=not arguments.no_shapes, generator=_generator)
    findings: list[Finding] = []
    failed = 0
    for path in paths:
        try:
            findings += bundled.lint(linter, path)
        except InputError as error:
            failed += 1
            print(shortened(str(error)), file=sys.stderr)
    return findings, failed


def _generator(one: Document, other: Document) -> Sequence[tuple[Document, Document]]:
    from ...nets import generated_pairs  # only nets that differ need it

    return generated_pairs(one, other)


def _names(lists: list[str]) -> list[str]:
    return [name.strip() for text in lists for name in text.split(",") if name.strip()]
