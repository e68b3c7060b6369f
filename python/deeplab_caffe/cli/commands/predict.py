"""`deeplab predict`: labels for photos, folders and videos with a trained model."""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError, Stopped
from .. import model_flags

if TYPE_CHECKING:
    from ...prediction.model import Model
    from ...prediction.predict import Outcome
    from ...prediction.results import Wanted
    from ...prediction.segmenter import Segmenter

_NAMED = 20  # at most so many failed images are named at the end
_TOLD = 3  # of so many images at most, the classes are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "deeplab predict SOURCE... --exp EXPERIMENT [-o FOLDER] [...]\n"
        "       deeplab predict SOURCE... --exp pets.deeplab [-o FOLDER] [...]\n"
        "       deeplab predict SOURCE... --net deploy.prototxt --weights x.caffemodel [--data my.toml] [...]"
    )
    parser.description = (
        "Label images with a trained model: label maps (PNG with the data set's palette) and overlays on the photos. "
        "Images may have any size and format; finished ones are skipped when the command runs again."
    )
    text = "images, folders with all their subfolders, patterns, videos, lists (.txt), or - for a list on stdin"
    parser.add_argument("source", metavar="SOURCE", nargs="*", help=text)
    model_flags.add_model(parser.add_argument_group("model"))
    _add_results(parser.add_argument_group("results"))
    model_flags.add_computation(parser)


def _add_results(group: argparse._ArgumentGroup) -> None:
    text = "folder for labels/, overlay/, …; paths below a source folder are kept (%(default)s)"
    group.add_argument("-o", "--output", metavar="FOLDER", default="predictions", help=text)
    text = (
        "refine labels with the CRF, into labels_crf/: alone with the parameters that the experiment found; or a "
        "preset, a JSON file, or values as w1=4,sigma_alpha=67,sigma_beta=3"
    )
    group.add_argument("--crf", metavar="PARAMETERS", nargs="?", const="", help=text)
    group.add_argument("--save-probabilities", action="store_true", help="write probabilities (C, H, W) as .npy too")
    group.add_argument("--label-frames", action="store_true", help="write the labels of each frame of a video too")
    group.add_argument("--no-overlay", action="store_true", help="write no overlays of images")
    text = "of the colours in the overlay, 0 to 1 (%(default)s)"
    group.add_argument("--opacity", metavar="X", type=float, default=0.55, help=text)
    text = "width of the overlay's outlines in pixels; 0: none (1 for images up to 1050 pixels, else more)"
    group.add_argument("--outline", metavar="N", type=int, help=text)
    group.add_argument("--legend", action="store_true", help="name the classes below the overlay")
    group.add_argument("--json", action="store_true", help="print one line of JSON per image, and nothing else")
    group.add_argument("--force", action="store_true", help="work on finished images again")


def run(arguments: argparse.Namespace) -> int:
    from ...locks import locked_folder
    from ...prediction.predict import predict_all
    from ...prediction.results import RECORD, Results
    from ...prediction.sources import find_sources

    words, crf = _sources_and_crf(arguments)
    model = model_flags.chosen_model(arguments)
    output = Path(arguments.output)
    sources = find_sources(words, output, RECORD, model.dataset)
    results = Results(output, _wanted(arguments, crf, model))
    results.check_sources(sources)
    segmenter = model_flags.loaded(arguments, model)
    say = sys.stderr if arguments.json else sys.stdout
    print(model_flags.described(segmenter, results.wanted.crf), file=say, flush=True)
    with locked_folder(output, f"the folder {output} is in use"):
        results.begin(_made_by(segmenter), arguments.force)
        try:
            outcomes = list(
                map(_told(arguments, len(sources)), predict_all(segmenter, sources, results, arguments.force))
            )
        except KeyboardInterrupt as stop:
            raise Stopped("predict: interrupted; run the same command again to continue", stop) from None
    return _summary(outcomes, output, say)


# -- from flags to settings


def _sources_and_crf(arguments: argparse.Namespace) -> tuple[list[str], str | None]:
    """The sources, and what --crf states; a source right behind a lone --crf is one of the sources."""
    from ...crf import PRESETS

    words, crf = list(arguments.source), arguments.crf
    if crf and crf not in PRESETS and not crf.endswith(".json") and _is_source(crf):
        words, crf = [*words, crf], ""
    if not words:
        raise InputError("which images? Expected SOURCE: an image, a folder, a pattern, a list, a video, or -")
    return words, crf


def _is_source(word: str) -> bool:
    return word == "-" or os.path.exists(word) or glob.has_magic(word)


def _wanted(arguments: argparse.Namespace, crf: str | None, model: Model) -> Wanted:
    from ...prediction.results import Wanted

    if not 0 <= arguments.opacity <= 1:
        raise InputError(f"--opacity: got {arguments.opacity:g}; expected 0 (the photo) to 1 (the colours alone)")
    if arguments.outline is not None and not 0 <= arguments.outline <= 100:
        raise InputError(f"--outline: got {arguments.outline}; expected 0 to 100 pixels")
    return Wanted(
        overlay=not arguments.no_overlay,
        probabilities=arguments.save_probabilities,
        label_frames=arguments.label_frames,
        crf=None if crf is None else _parameters(crf, model),
        opacity=arguments.opacity,
        outline=arguments.outline,
        legend=arguments.legend,
    )


def _parameters(crf: str, model: Model) -> Any:
    from ...crf import CRFParameters
    from ...prediction.segmenter import crf_parameters

    if crf:
        return crf_parameters(crf)
    ways = "state a preset, a JSON file or values: --crf w1=4,sigma_alpha=67,sigma_beta=3"
    if model.crf is None:
        raise InputError(f"--crf: no experiment has found parameters for --net; {ways}")
    if not model.crf.is_file():
        search = "" if model.unpacked else "run the stage search, or "
        raise InputError(f"--crf: {model.name} has no {model.shown(model.crf)}; {search}{ways}")
    return CRFParameters.load(model.crf)


# -- what is said


def _made_by(segmenter: Segmenter) -> dict[str, Any]:
    """What the record says of the model; net and weights by their content, whether they lie in a bundle or not."""
    from ...experiment.fingerprints import content_hash, fingerprint, net_meaning

    model, preprocessing = segmenter.model, segmenter.predictor.preprocessing
    return {
        "net": model.shown(model.net),
        "weights": model.shown(model.weights),
        "content": fingerprint([net_meaning(model.net), content_hash(model.weights)])[:16],
        "mean": list(preprocessing.mean),
        "scale": preprocessing.scale,
        "protocol": str(segmenter.protocol),
        "exif": "apply" if segmenter.upright else "ignore",
        "classes": list(segmenter.classes),
        "colours": fingerprint([segmenter.palette.tolist()])[:16],
    }


def _told(arguments: argparse.Namespace, count: int) -> Any:
    """A function that reports an outcome at once, and returns it."""

    def told(outcome: Outcome) -> Outcome:
        if arguments.json:
            print(json.dumps(outcome.record(), ensure_ascii=False), flush=True)
        elif outcome.status == "failed":
            print(f"failed: {outcome.error}", file=sys.stderr, flush=True)
        elif outcome.shares and count <= _TOLD:
            shares = ", ".join(f"{name} {part:.1%}" for name, part in outcome.shares.items())
            print(f"{outcome.source.path}: {shares}", flush=True)
        return outcome

    return told


def _summary(outcomes: Iterable[Outcome], output: Path, say: Any) -> int:
    counts = {"done": 0, "skipped": 0, "failed": 0}
    failed = []
    for outcome in outcomes:
        counts[outcome.status] += 1
        if outcome.status == "failed":
            failed.append(outcome.source.where)
    parts = [f"{counts['done']} predicted"]
    parts += [f"{counts['skipped']} were finished before (--force: again)"] if counts["skipped"] else []
    parts += [f"{counts['failed']} failed"] if failed else []
    print(f"{output}: {', '.join(parts)}", file=say, flush=True)
    if failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        print(f"failed: {', '.join(failed[:_NAMED])}{more}", file=sys.stderr, flush=True)
    return 2 if failed else 0
