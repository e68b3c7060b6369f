"""Compares results on a list: folders of any tool's label maps, or experiments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset, list_ids, read_dataset, read_list
from ..errors import InputError
from ..evaluation import Trimap, accuracy_curves, loss_curve, score_files, trimap_curves
from ..evaluation.comparison import (
    Compared,
    comparison_images_csv,
    comparison_record,
    comparison_text,
    image_ious,
    lowest,
)
from ..evaluation.comparison_page import Comparison, Section, Shown, comparison_page
from ..locks import locked_folder
from ..nets import experiment_folder, full_name, look_up, published_names
from ..package_files import or_packaged
from ..spelling import did_you_mean
from ..words import for_people
from .different_settings import different_settings
from .results import read_json
from .score_outputs import BAND_FILES, Images, write_files
from .scoring import Truth, count_results, find_files, read_indices
from .training_records import training_stages

#: most images in a section of the page, so that it stays small
MOST_SHOWN = 50
_EVALUATION = "evaluation.json"
_WHEN = {"before": "result", "after": "result_crf"}


@dataclass(frozen=True)
class Result:
    """A result to compare: its name, its folder, and what the experiment that it is of says of data set and list.

    `experiment` is the experiment's folder; None for label maps of other tools.
    """

    name: str
    folder: Path
    dataset: Path | None = None
    list: Path | None = None
    experiment: Path | None = None


def find_results(words: Sequence[str]) -> list[Result]:
    """The results that words name: NAME=FOLDER or FOLDER, of PNG files or of an experiment; or an experiment's name.

    An experiment alone stands for its labels before and after the CRF, beside others for its last ones.

    Raises:
        InputError: a folder does not exist, there are fewer than two results, or two have one name.
    """
    results = [result for word in words for result in _of_word(word, alone=len(words) == 1)]
    if len(results) < 2:
        one = f"{results[0].folder}: one result" if results else "no result"
        raise InputError(f"compare: {one}; expected two or more, or an experiment that uses the CRF")
    results = _with_names(results)
    names = [result.name for result in results]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"compare: two results are named '{name}'; give them names: NAME=FOLDER")
    return results


def _of_word(word: str, alone: bool) -> list[Result]:
    name, sign, path = word.partition("=") if not os.path.exists(word) else ("", "", word)
    name, path = (name, path) if sign else ("", word)
    folder, known = _place(path)
    if (folder / _EVALUATION).is_file():
        return _of_experiment(folder, name or known, alone)
    if (folder / "stages").is_dir():
        raise InputError(f"{folder}: an experiment that was not evaluated; run the stage evaluate first")
    experiment = folder.resolve().parent.parent
    if folder.resolve().parent.name in _WHEN.values() and (experiment / _EVALUATION).is_file():
        dataset, listed = _data_of(experiment, read_json(experiment / _EVALUATION))
        return [Result(name, folder, dataset, listed, experiment)]
    return [Result(name, folder)]


def _place(word: str) -> tuple[Path, str]:
    """A folder; or that of the experiment `<data set>/<model>`, or voc_largefov, and its name."""
    folder = Path(word)
    if folder.is_dir():
        return folder, ""
    try:
        known = full_name(word)
        look_up(known)
    except InputError:
        raise InputError(
            f"{folder}: no such folder; expected one of results (PNG) or of an experiment, or an experiment's name"
            f"{did_you_mean(word, ['demo', *published_names()])}"
        ) from None
    folder = Path(experiment_folder(known))
    if not folder.is_dir():
        raise InputError(f"'{word}': there is no folder {folder}; run `deeplab all {word}` first")
    return folder, known


def _of_experiment(folder: Path, name: str, alone: bool) -> list[Result]:
    """The last labels of an experiment; if it is alone, those before and after its CRF."""
    record = read_json(folder / _EVALUATION)
    when = [key for key in _WHEN if record.get(key)]
    if not when or not isinstance(record.get("list"), str):
        raise InputError(f"{folder / _EVALUATION}: damaged; run the stage evaluate again, with --force")
    dataset, listed = _data_of(folder, record)
    results = []
    for key in when if alone else when[-1:]:
        label = f"{key} CRF" if alone else name or folder.name
        results.append(Result(label, folder / _WHEN[key] / record["list"], dataset, listed, folder))
    return results


def _data_of(folder: Path, record: dict[str, Any]) -> tuple[Path | None, Path | None]:
    """The data set and the list file of an experiment; None if they are not known."""
    stated = record.get("dataset_file")
    places = [folder / "dataset.toml", *([Path(stated)] if isinstance(stated, str) else [])]
    file = next((path for path in places if or_packaged(path).is_file()), None)
    if file is None:
        return None, None
    listed = read_dataset(file).lists.get(str(record.get("list")))
    return file, listed


def _with_names(results: Sequence[Result]) -> list[Result]:
    """Results without a name get the end of their folder's path that tells them apart."""
    parts = [result.folder.resolve().parts for result in results]
    names = [part[-1] for part in parts]
    for count in range(1, max(map(len, parts)) + 1):
        names = [str(Path(*part[-count:])) for part in parts]
        if len(set(names)) == len(names):
            break
    return [replace(r, name=r.name or name) for r, name in zip(results, names, strict=True)]


def common_data(results: Sequence[Result]) -> tuple[Dataset | None, str | None]:
    """The data set and the list file that the results' experiments say; None if none says it.

    Raises:
        InputError: they differ in classes or images.
    """
    known = [result for result in results if result.dataset and result.list]
    if not known:
        return None, None
    first = known[0]
    assert first.dataset and first.list
    dataset, images = read_dataset(first.dataset), _ids(first.list)
    for other in known[1:]:
        assert other.dataset and other.list
        if read_dataset(other.dataset).classes != dataset.classes:
            raise InputError(f"compare: {first.name} and {other.name} have different classes")
        if _ids(other.list) != images:
            raise InputError(
                f"compare: {first.name} and {other.name} were evaluated on different lists, {first.list} and "
                f"{other.list}; state one with --list"
            )
    return dataset, str(first.list)


def _ids(path: Path) -> list[str]:
    return list_ids(read_list(path, needs_label=False))


def compare(
    truth: Truth,
    results: Sequence[Result],
    output: Path,
    images: Images,
    trimap: Trimap | None = None,
    show: int = 8,
    command: str = "",
) -> str:
    """Compare results and write the page and its tables: index.html, compare.json, images.csv, trimap.*.

    Args:
        truth: the list and its ground truth.
        results: two or more; the first is the reference.
        output: folder for the files.
        images: for the page.
        trimap: bands to compare as well.
        show: how many images each section of the page has at most.
        command: that made it, for the page.

    Returns:
        The table to print.

    Raises:
        InputError: `show` is out of range, or a result has files that are missing or cannot be scored.
    """
    if not 0 <= show <= MOST_SHOWN:
        raise InputError(f"--examples: expected 0 to {MOST_SHOWN} images but got {show}")
    found = [find_files(result.folder, truth.entries, "results", lambda entry: entry.label) for result in results]
    pairs = zip(results, found, strict=True)
    counts = [count_results(truth, files, trimap, result.name) for result, files in pairs]
    compared = Compared.of([result.name for result in results], counts, truth.dataset.classes)
    curves = {result.name: each.band_scores() for result, each in zip(results, counts, strict=True)} if trimap else {}
    bands = trimap_curves(curves, trimap.note()) if trimap else None
    page = Comparison(
        title=" and ".join(compared.names) + ", side by side",
        subtitle=f"{truth.dataset.title}, {truth.where}: {len(truth.ids)} images",
        compared=compared,
        palette=truth.dataset.palette,
        sections=_sections(truth, compared, found, images, show),
        curves=bands,
        curves_note=trimap.note() if trimap else "",
        ignore_label=truth.dataset.ignore_label,
        command=command,
        **_of_experiments(results),
    )
    files: dict[str, bytes | str] = {
        "index.html": comparison_page(page),
        "compare.json": score_files.to_json(_record(truth, results, compared, trimap)),
        "images.csv": comparison_images_csv(compared),
    }
    if bands:
        files |= {"trimap.csv": score_files.trimap_csv(curves), "trimap.png": bands.png, "trimap.svg": bands.svg}
    with locked_folder(output, f"another comparison is being written into {output}"):
        write_files(output, files, BAND_FILES)
    text = comparison_text(compared)
    return f"{text}\n{score_files.trimap_table(curves, trimap)}\n" if trimap else text


def _of_experiments(results: Sequence[Result]) -> dict[str, Any]:
    """The curves of the experiments' trainings, and what they did differently, as fields of the page."""
    folders: dict[Path, str] = {}
    for result in results:
        if result.experiment is not None:
            folders.setdefault(result.experiment.resolve(), result.name)
    experiments = {name: folder for folder, name in folders.items()}
    if len(experiments) < 2:  # a training and its settings do not differ from themselves
        return {}
    losses, accuracies = [], []
    for name, folder in experiments.items():
        loss, accuracy = training_stages(folder / "log")
        losses += [replace(each, name=_stage_name(name, each.name)) for each in loss]
        accuracies += [replace(each, name=_stage_name(name, each.name)) for each in accuracy]
    return {
        "loss": loss_curve(losses, apart=True) if losses else None,
        "accuracy": accuracy_curves(accuracies, apart=True) if accuracies else None,
        "settings": different_settings(experiments),
        "experiments": list(experiments),
    }


def _stage_name(experiment: str, stage: str) -> str:
    return experiment if stage == "train" else f"{experiment}, {stage}"


def _record(truth: Truth, results: Sequence[Result], compared: Compared, trimap: Trimap | None) -> dict[str, Any]:
    record = comparison_record(compared)
    for entry, result, each in zip(record["results"], results, compared.counts, strict=True):
        entry["folder"] = str(result.folder)
        entry |= score_files.trimap_record(trimap, each.band_scores())
    return {"dataset": truth.dataset.name, "list": truth.where, "images": len(truth.ids), **record}


# -- images of the page


def _sections(
    truth: Truth, compared: Compared, files: Sequence[Sequence[Path]], images: Images, show: int
) -> list[Section]:
    last, first, difference = compared.names[-1], compared.names[0], compared.differences[-1]
    ious = [image_ious(each) for each in compared.counts]
    sections = []
    for heading, text, places in (
        (f"Where {last} is better", f"Sorted by what its mean IoU is above that of {first}.", difference.better()),
        (f"Where {last} is worse", f"Sorted by what its mean IoU is below that of {first}.", difference.worse()),
        (f"The lowest scores of {last}", "Sorted by its mean IoU, the lowest first.", lowest(compared.counts[-1])),
    ):
        pairs = [(place, _scores_text(compared, [column[place] for column in ious])) for place in places[:show]]
        shown = [_shown(truth, files, images, place, scores) for place, scores in pairs]
        sections.append(Section(heading, f"{text} {len(shown)} of {len(places)} images; images.csv has all.", shown))
    return sections


def _scores_text(compared: Compared, ious: Sequence[float]) -> str:
    """The mean IoU of an image in each result, and the difference of the last to the first."""
    text = ", ".join(f"{name} {100 * iou:.1f}" for name, iou in zip(compared.names, ious, strict=True))
    change = 100 * (ious[-1] - ious[0])
    return text if np.isnan(change) else f"{text} ({change:+.1f})"


def _shown(truth: Truth, files: Sequence[Sequence[Path]], images: Images, place: int, scores: str) -> Shown:
    label = read_indices(truth.labels[place], truth.dataset)
    height, width = label.shape
    return Shown(
        for_people(truth.ids[place]),
        scores,
        images.read(place, (height, width)),
        label,
        [read_indices(each[place], truth.dataset) for each in files],
    )
