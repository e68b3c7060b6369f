"""`deeplab submit`: writes the archive of results that a test server takes, or checks one."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ... import __version__
from ...data import Dataset, description_file, named_dataset
from ...data.submission import SERVERS, Checked, Results, Server, check_archive, images_to_submit, write_archive
from ...errors import InputError
from ...experiment.submission import described, experiment_place, results_on, undisturbed
from ...files import write_text
from ...formats.bundle import TO_LABEL, refuse_bundle
from ..parser import add_renamed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "deeplab submit SERVER EXPERIMENT [-o ARCHIVE] [...]\n"
        "       deeplab submit SERVER --results FOLDER -o ARCHIVE [...]\n"
        "       deeplab submit SERVER --check ARCHIVE [...]"
    )
    parser.description = (
        "Write the results on a test list as the archive that the test server takes, after checks: every image of the "
        "list and no other, sizes, values, palette. Or check an archive."
    )
    parser.add_argument("server", metavar="SERVER", choices=tuple(SERVERS), help=" or ".join(SERVERS))
    text = "an experiment: a name such as voc12/largefov, or its folder"
    parser.add_argument("experiment", metavar="EXPERIMENT", nargs="?", help=text)
    parser.add_argument("--results", metavar="FOLDER", help="label PNGs of any tool, named after the images")
    parser.add_argument("--check", metavar="ARCHIVE", help="check this archive, write nothing")
    text = "the archive (default: submission/ in the experiment's folder)"
    parser.add_argument("-o", "--output", metavar="ARCHIVE", help=text)
    text = "the test list: the name of a list of the data set, or a file (%(default)s)"
    parser.add_argument("--list", default="test", metavar="LIST", help=text)
    text = "name or TOML file of the data set"
    add_renamed(parser, "--data", "--dataset", metavar="NAME|TOML", help=text)
    text = "results before the CRF, even if there are some after it"
    parser.add_argument("--without-crf", action="store_true", help=text)
    _add_server_flags(parser)


def _add_server_flags(parser: argparse.ArgumentParser) -> None:
    text = "VOC: 5, trained on VOC's own data alone; 6, with other data (default: 6, as nets start from ImageNet)"
    parser.add_argument("--competition", type=int, choices=(5, 6), help=text)
    text = "Cityscapes: the results have label ids already, not train ids"
    parser.add_argument("--label-ids", action="store_true", help=text)
    text = "Cityscapes: the results are of halved images, and are enlarged (known of the data set cityscapes_half)"
    parser.add_argument("--half-resolution", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> None:
    server = SERVERS[arguments.server]
    _check_flags(arguments, server)
    if arguments.experiment:
        _submit_experiment(arguments, server)
    elif arguments.check:
        dataset = _dataset(arguments, server)
        images = _images(server, dataset, _list_file(arguments, dataset))
        checked = check_archive(server, images, arguments.check, arguments.competition)
        print(f"{arguments.check}: accepted: {_described(server, checked)}", flush=True)
    else:
        dataset = _dataset(arguments, server)
        half = arguments.half_resolution or _is_half(dataset)
        results = Results(Path(arguments.results), None, arguments.label_ids, half)
        _write(arguments, server, dataset, results, arguments.output)


def _check_flags(arguments: argparse.Namespace, server: Server) -> None:
    given = [what for what in ("experiment", "results", "check") if getattr(arguments, what)]
    if len(given) != 1:
        raise InputError("submit: expected an EXPERIMENT, or --results FOLDER, or --check ARCHIVE: one of them")
    if arguments.results and not arguments.output:
        raise InputError(f"submit: --results needs -o ARCHIVE, such as -o results{server.suffix}")
    if arguments.check and arguments.output:
        raise InputError("submit: --check writes nothing; remove -o")
    if arguments.competition and not server.competitions:
        raise InputError(f"submit: --competition is VOC's; {server.title} has one")
    if server.ids is None and (arguments.label_ids or arguments.half_resolution):
        raise InputError(f"submit: --label-ids and --half-resolution are for Cityscapes, not {server.title}")
    if arguments.experiment and arguments.label_ids:
        raise InputError("submit: --label-ids is for --results; an experiment's results are train ids")


def _submit_experiment(arguments: argparse.Namespace, server: Server) -> None:
    refuse_bundle(arguments.experiment, f"{TO_LABEL}, then submit --results FOLDER/labels")
    folder, file = experiment_place(arguments.experiment)
    file = description_file(arguments.dataset) if arguments.dataset else file or description_file(server.dataset)
    dataset = described(folder, file, server.classes)
    number = f"_comp{_competition(arguments)}" if server.competitions else ""
    other = "" if arguments.list == "test" else f"_{Path(arguments.list).stem}"
    output = arguments.output or str(folder / "submission" / f"{arguments.server}{number}{other}{server.suffix}")
    half = arguments.half_resolution or _is_half(dataset)
    with undisturbed(folder):
        found = results_on(folder, arguments.list, not arguments.without_crf)
        when = f"{'after' if found.after_crf else 'before'} the CRF"
        print(f"results: {found.folder}, {when}; weights: {found.weights}", flush=True)
        results = Results(found.folder, dataset.palette, half=half)
        _write(arguments, server, dataset, results, output, {"crf": found.after_crf, "weights": found.weights})


def _write(
    arguments: argparse.Namespace,
    server: Server,
    dataset: Dataset,
    results: Results,
    output: str,
    made_by: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Write the archive, and beside it a record of what it was made from."""
    file = _list_file(arguments, dataset)
    images = _images(server, dataset, file)
    if results.half:
        print("the results are of halved images; they are enlarged to the whole size, nearest neighbour", flush=True)
    checked = write_archive(server, images, results, output, _competition(arguments))
    record = {"list": str(file), "images": checked.images, "results": str(results.folder), **made_by}
    summed = hashlib.sha256(Path(output).read_bytes()).hexdigest()
    record |= {"competition": checked.competition, "version": __version__, "sha256": summed}
    write_text(f"{output}.json", json.dumps(record, indent=1) + "\n")
    print(f"wrote {output}: {_described(server, checked)}", flush=True)
    if server.competitions and arguments.competition is None:
        print(
            "comp6, as the nets start from weights that were trained on ImageNet; --competition 5 for nets trained on "
            "VOC's own data alone",
            flush=True,
        )


def _competition(arguments: argparse.Namespace) -> int:
    return arguments.competition or 6


def _described(server: Server, checked: Checked) -> str:
    number = checked.competition
    trained = f", comp{number}: {server.competitions[number]}" if number else ""
    return f"{checked.images:,} images{trained}"


def _is_half(dataset: Dataset) -> bool:
    return dataset.name == "cityscapes_half"


def _dataset(arguments: argparse.Namespace, server: Server) -> Dataset:
    return named_dataset(arguments.dataset or server.dataset)


def _list_file(arguments: argparse.Namespace, dataset: Dataset) -> Path:
    return dataset.list_file(arguments.list)


def _images(server: Server, dataset: Dataset, file: Path) -> dict[str, tuple[int, int]]:
    """The images of the test list, with a warning if it is not the server's whole one."""
    images = images_to_submit(server, dataset, file)
    if len(images) != server.images:
        text = f"warning: {file} has {len(images):,} images; the test list of {server.title} has {server.images:,}"
        print(text, file=sys.stderr, flush=True)
    return images
