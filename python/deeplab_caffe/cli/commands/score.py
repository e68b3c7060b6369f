"""`deeplab score`: scores of any folder of label maps, ours or another tool's."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...errors import InputError
from .. import crf_flags, score_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Score label maps (PNG files of class indices, with a palette or grey) against the ground truth of a list: "
        "mean IoU, IoU of each class, pixel and mean class accuracy, frequency-weighted IoU, the confusion matrix "
        "and a table of the images. Files that are missing, of another size or with values that are no class are "
        "refused."
    )
    parser.add_argument("--results", metavar="FOLDER", required=True, help="folder of results, <id>.png")
    score_flags.add_truth(parser, required=True)
    score_flags.add_trimap(parser)
    text = "draw the trimap of this image (default: of one with many classes); may be repeated"
    parser.add_argument("--show-trimap", metavar="ID", action="append", default=[], help=text)
    text = "folder for score.json, CSV files and pictures (default: print the table alone)"
    parser.add_argument("-o", "--output", metavar="FOLDER", help=text)


def run(arguments: argparse.Namespace) -> None:
    from ...experiment.score_outputs import Images, place_of, summary, write_score
    from ...experiment.scoring import count_results, find_files, ground_truth, label_warnings
    from ...files import check_folder
    from ...formats.bundle import TO_LABEL, refuse_bundle

    trimap = score_flags.trimap(arguments)
    _check_flags(arguments)
    refuse_bundle(arguments.results, f"{TO_LABEL}, then score --results FOLDER/labels")
    dataset = crf_flags.dataset(arguments.dataset)
    assert dataset is not None
    truth = ground_truth(dataset, arguments.list, arguments.labels)
    results = find_files(arguments.results, truth.entries, "results", lambda entry: entry.label)
    for name in arguments.show_trimap:
        place_of(truth, name)
    if arguments.output:
        check_folder(arguments.output)
    images = Images.of(truth, arguments.images)
    counts = count_results(truth, results, trimap)
    for text in label_warnings(truth, counts):
        print(f"warning: {text}", file=sys.stderr, flush=True)
    print(summary(truth, counts), end="", flush=True)
    if arguments.output:
        about = {"dataset": dataset.name, "list": truth.where, "results": arguments.results}
        names = write_score(Path(arguments.output), truth, counts, about, images, arguments.show_trimap)
        print(f"{arguments.output}: wrote {', '.join(names)}")


def _check_flags(arguments: argparse.Namespace) -> None:
    """Refuse flags that cannot be meant."""
    if arguments.show_trimap and arguments.trimap is None:
        raise InputError("--show-trimap: use it with --trimap WIDTHS, such as --trimap 1:40")
    if arguments.show_trimap and not arguments.output:
        raise InputError("--show-trimap: use it with -o FOLDER, where the picture goes")
    output = Path(arguments.output).resolve() if arguments.output else None
    for flag, folder in (("--results", arguments.results), ("--labels", arguments.labels)):
        if folder and output == Path(folder).resolve():
            raise InputError(f"-o {arguments.output}: is also {flag}; choose another folder")
