"""The scores of an experiment as rows of the ledger, with what they were measured on and with."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..formats.prototxt import Document
from ..inference import Protocol
from ..nets import (
    GeneratorOptions,
    Result,
    command_line,
    other_output_stride,
    published_images,
    published_numbers,
    stated_command,
)
from ..reading import reading
from . import made_with
from .folder import Experiment
from .hand_edits import hand_edits
from .results import DONE, read_json
from .stages.crf import searched_on

#: options that do not change what is learnt, or that say where things are and how they are tested
NEUTRAL = (
    "dataset",
    "root_folder",
    "experiment",
    "folder",
    "feature_dir",
    "snapshot",
    "display",
    "random_seed",
    "solver_mode",
    "dialect",
    "softmax",
    "stride_on",
    "test_set",
    "test_output_stride",
)


def ledger_results(experiment: Experiment, hardware: str = "", note: str = "") -> list[Result]:
    """The mean IoU that the stage `evaluate` found, before the CRF and after it, as results for the ledger.

    Args:
        experiment: one of a published model; its stage `evaluate` is finished.
        hardware: what it was trained and tested on; "" for what this machine has.
        note: what else has to be known.

    Raises:
        InputError: it was not evaluated, its nets have no header, or nothing published was measured in the same way.
    """
    record = read_json(experiment.evaluation)
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        split = str(record["list"])
        found = [(crf, record[when]) for crf, when in ((False, "before"), (True, "after"))]
        scores = {crf: f"{100 * float(each['mean_iou']):.2f}" for crf, each in found if each}
        name = scored_name(experiment)
        written = datetime.date.fromtimestamp(experiment.evaluation.stat().st_mtime)
    way = passes(experiment, split)
    remarks = [note, way.pop("note"), *_edits(experiment), *_other_list(experiment, name, split)]
    made = Result(
        name=name,
        split=split,
        value="",
        hardware=hardware or made_with.hardware(),
        date=written.isoformat(),
        commit=made_with.commit() or "unknown",
        versions=made_with.versions_text(),
        output_stride=tested_output_stride(experiment),
        options=" ".join(trained_otherwise(experiment)),
        note="; ".join(filter(None, remarks)),
        **way,
    )
    results = [replace(made, crf=crf, value=value) for crf, value in scores.items()]
    return _published([_with_parameters(experiment, result) if result.crf else result for result in results])


def _with_parameters(experiment: Experiment, result: Result) -> Result:
    """A score after the CRF, with a remark if its parameters were not searched on val as the published ones were."""
    done = experiment.result(result.split, crf=True) / DONE
    chosen = str(read_json(done).get("from", "")) if done.is_file() else ""
    remark = f"CRF parameters: {chosen}" if chosen and chosen != searched_on("val") else ""
    return replace(result, note="; ".join(filter(None, (result.note, remark))))


def _published(results: list[Result]) -> list[Result]:
    """Those that stand beside a published number."""
    numbers = published_numbers()
    found = [result for result in results if any(result.is_of(number) for number in numbers)]
    if not found:
        one = results[0]
        scales = ",".join(f"{scale:g}" for scale in one.scales) or "1"
        tested = f"output stride {one.output_stride or 'as trained'}, scales {scales}, {'' if one.flip else 'no '}flip"
        raise InputError(
            f"{one.name} on the list '{one.split}' ({tested}): no published number was measured so, so the ledger has "
            "no row for it; docs/ledger.md has the commands"
        )
    return found


# -- how it was trained and tested


def scored_name(experiment: Experiment) -> str:
    """`<data set>/<model>`, by the name that the data set's description states."""
    return f"{experiment.dataset().name}/{experiment.name.partition('/')[2]}"


def tested_output_stride(experiment: Experiment) -> int | None:
    """The output stride of the test net; None if it is the one that the net was trained at."""
    return other_output_stride(scored_name(experiment), _options(experiment, "test").test_output_stride)


def _options(experiment: Experiment, role: str) -> GeneratorOptions:
    """The options that a net on disk was made with."""
    return stated_command(Document.read(experiment.prototxt / f"{role}.prototxt"))[1]


def trained_otherwise(experiment: Experiment) -> list[str]:
    """The flags of the training nets that the published training has not."""
    options = _options(experiment, "train")
    unchanged = {name: getattr(GeneratorOptions(), name) for name in NEUTRAL}
    return command_line(replace(options, **unchanged))


def _edits(experiment: Experiment) -> list[str]:
    edits = hand_edits(experiment)
    return [f"edited by hand: {', '.join(Path(path).name for path in edits)}"] if edits else []


def _other_list(experiment: Experiment, name: str, split: str) -> list[str]:
    """A remark if the list has not as many images as the published one."""
    wanted = published_images(name.partition("/")[0], split)
    file = experiment.dataset().lists.get(split)
    if wanted is None or file is None or not file.is_file():
        return []
    count = len(experiment.dataset().entries(split, needs_label=False))
    return [f"images in the list: {count}, published: {wanted}"] if count != wanted else []


def passes(experiment: Experiment, split: str) -> dict[str, Any]:
    """Scales and flips of the test, and a remark on the rest, as the stage `test` left them beside its results.

    Raises:
        InputError: the record is missing or damaged, or newer than the evaluation, which is then of another test.
    """
    path = experiment.result(split) / DONE
    record = read_json(path)
    if path.stat().st_mtime_ns > experiment.evaluation.stat().st_mtime_ns:
        older = f"{experiment.evaluation}: older than the results in {path.parent}"
        raise InputError(f"{older}; run the stage evaluate again")
    with reading(path, damaged="damaged; run the stage test again, with --force"):
        protocol = Protocol.parse(str(record.get("protocol") or "scale 1"))
        given = _other_weights(experiment, split, record)
    rest = [f"tested in {protocol.regions_in_words}"] if protocol.regions else []
    scales = () if protocol.scales == (1,) else protocol.scales
    return {"scales": scales, "flip": protocol.flip, "note": "; ".join(rest + given)}


def _other_weights(experiment: Experiment, split: str, record: dict[str, Any]) -> list[str]:
    """A remark if the weights are not those that training leaves for this list."""
    stage = record.get("stage")
    if stage == "":
        return [f"weights {Path(str(record['weights'])).name}"]
    return ["weights of training stage 2"] if stage == "2" and not experiment.is_for_server(split) else []
