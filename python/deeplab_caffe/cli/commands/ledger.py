"""`deeplab ledger`: the page of published numbers, the commands that reproduce them, and ours."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ...errors import InputError
from ...files import write_text
from ...nets import RESULTS, GeneratorOptions, append_results, full_name, ledger_page, read_results
from ..parser import add_renamed

_PAGE = "docs/ledger.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write docs/ledger.md: every published number, the command that reproduces it, and what it gave here, with "
        "hardware, date, commit and versions. Run it in the folder that contains docs/."
    )
    parser.add_argument("-o", "--output", metavar="FILE", default=_PAGE, help="where to write the page (%(default)s)")
    add_renamed(parser, "--ours", "--results", metavar="FILE", default=str(RESULTS), help="our results (%(default)s)")
    text = "append the scores of this experiment to the results first, such as voc_largefov; its stage evaluate has run"
    parser.add_argument("--add", metavar="NAME", help=text)
    parser.add_argument("--exp", metavar="FOLDER", help="with --add: its folder (exper/<data set>/<model>)")
    text = "with --add: what it was trained and tested on (the GPU or the processor of this machine)"
    parser.add_argument("--hardware", metavar="TEXT", default="", help=text)
    parser.add_argument("--note", metavar="TEXT", default="", help="with --add: what else has to be known")


def run(arguments: argparse.Namespace) -> None:
    if arguments.add:
        _add(arguments)
    elif given := [flag for flag in ("exp", "hardware", "note") if getattr(arguments, flag)]:
        raise InputError(f"--{given[0]}: belongs to --add NAME, which says whose scores are added")
    write_text(arguments.output, ledger_page(read_results(arguments.results)))
    print(f"wrote {arguments.output}")


def _add(arguments: argparse.Namespace) -> None:
    from ...experiment import ledger_results, published
    from ...formats.bundle import refuse_bundle

    for word in (arguments.add, arguments.exp):
        refuse_bundle(word, "the ledger needs the experiment's folder; `deeplab bundle show` has the scores")
    options = replace(GeneratorOptions(), experiment=arguments.exp) if arguments.exp else None
    results = ledger_results(published(full_name(arguments.add), options), arguments.hardware, arguments.note)
    append_results(results, arguments.results)
    for result in results:
        crf = "after the CRF" if result.crf else "before the CRF"
        print(f"{arguments.results}: {result.name} on {result.split}, {crf}: {result.value}")
