"""Write a bundle: from what an experiment has trained, or from files."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..crf import CRFParameters
from ..data.dataset import write_dataset
from ..errors import InputError
from ..experiment import made_with, provenance
from ..experiment.fingerprints import content_hash, fingerprint
from ..experiment.results import DONE
from ..experiment.testing import PROTOCOL, Testing
from ..files import check_not_an_input, replacing
from ..formats.bundle import CRF, DATASET, FORMAT, MANIFEST, MEMBERS, NET, SCORES, SUFFIX, TEST_NET, VERSION, WEIGHTS
from ..formats.definition import read_definition
from ..formats.weight_files import read_weight_file
from ..inference import Protocol
from ..progress import Progress
from ..reading import read_json, read_text, reading
from .bundle_net import check_self_contained, data_layer_of
from .model import Model
from .models import experiment_at, is_final, model_of_experiment
from .segmenter import Segmenter

#: of evaluation.json: what names images, and paths of this machine
_LEFT_OUT = ("per_image", "dataset_file")
_EVALUATION = "evaluation.json"
#: of every member: a bundle depends on its content alone
_TIME = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o644 << 16
_UNIX = 3
_PIECE = 1 << 20
#: of the image that is computed once
_SIDE = 65


@dataclass
class _Parts:
    """What becomes of a bundle: texts by the names of their members, the weight file, and parts of the manifest."""

    model: Model
    texts: dict[str, str] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)


def bundle_experiment(
    word: str, output: str | os.PathLike[str], testing: Testing | None = None, note: str = ""
) -> Path:
    """Write the bundle of what an experiment has trained, with its scores, CRF parameters and provenance.

    Args:
        word: the experiment's folder or name.
        output: the file to write; its name ends in .deeplab.
        testing: which weights, and settings other than those that the experiment was tested with, as `Testing`.
        note: a remark for whoever gets the bundle.

    Returns:
        The file.

    Raises:
        InputError: there is no such experiment, it has no weights yet, they do not fit the net, or the net needs files.
    """
    folder = experiment_at(word)
    model = model_of_experiment(word, testing)
    parts = _parts(model, note)
    _add_crf(parts)
    _add_scores(parts, folder)
    return _write(parts, Path(output))


def bundle_files(model: Model, output: str | os.PathLike[str], note: str = "") -> Path:
    """Write the bundle of a model that is stated as files; see `bundle_experiment`."""
    return _write(_parts(model, note), Path(output))


# -- what goes into it


def _parts(model: Model, note: str) -> _Parts:
    definition = read_definition(model.net)
    check_self_contained(definition)
    classes = _classes(model)
    parts = _Parts(model, {NET: read_text(model.net)})
    if model.test_net is not None and (layer := data_layer_of(model.test_net)):
        parts.texts[TEST_NET] = layer
    if model.dataset is not None:
        parts.texts[DATASET] = _description(model)
    described = {"net": str(definition.param.name), "classes": classes, **_weights(model)}
    stated = model.testing.stated()
    parts.manifest = {
        "name": _name(model),
        "note": note,
        "model": described,
        "testing": {name: stated[name] for name in PROTOCOL if name in stated},
        "scores": {},
        "provenance": _provenance(model),
        "bundled_with": {"versions": made_with.versions_text()},
    }
    return parts


def _classes(model: Model) -> list[str]:
    """The names of the classes that the net computes in an image, since what does not work is not handed on."""
    segmenter = Segmenter.of_model(model)
    return list(segmenter.predict(np.zeros((_SIDE, _SIDE, 3), np.uint8), Protocol()).classes)


def _name(model: Model) -> str:
    """`<data set>/<net>`, or the net's file without a data set."""
    net = read_definition(model.net).param.name or model.net.stem
    return f"{model.dataset.name}/{net}" if model.dataset else str(net)


def _weights(model: Model) -> dict[str, Any]:
    layers = read_weight_file(model.weights).weighted
    count = sum(int(blob.data.size) for layer in layers for blob in layer.blobs)
    return {"weights": model.weights.name, "values": count, "finished": is_final(model)}


def _description(model: Model) -> str:
    """The data set's description without its lists and folders."""
    assert model.dataset is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, DATASET)
        write_dataset(replace(model.dataset, root=Path(folder), lists={}, obtain=""), path)
        return read_text(path)


def _provenance(model: Model) -> dict[str, Any]:
    lists = provenance.trained_on(model.weights)
    listed = {name: {"images": len(images), "sha256": fingerprint(images)} for name, images in lists.items()}
    return {"trained_on": listed, **provenance.trained_with(model.weights)}


def _add_crf(parts: _Parts) -> None:
    path = parts.model.crf
    if path is not None and path.is_file():
        parts.texts[CRF] = f"{CRFParameters.load(path).to_json()}\n"


def _add_scores(parts: _Parts, folder: Path) -> None:
    """The scores, with the weights and the protocol that they were found with."""
    path = folder / _EVALUATION
    if not path.is_file():
        return
    found = read_json(path)
    with reading(path, damaged="damaged; run the stage evaluate again, with --force"):
        split = str(found["list"])
        kept = {key: value for key, value in found.items() if key not in _LEFT_OUT}
        scored = {when: kept[when]["mean_iou"] for when in ("before", "after") if kept.get(when)}
        done = folder / "result" / split / DONE
        tested = read_json(done) if done.is_file() else {}
        weights, protocol = str(tested.get("weights", "")), str(tested.get("protocol", ""))
    parts.texts[SCORES] = json.dumps(kept, indent=1) + "\n"
    own = Path(weights).name == parts.model.weights.name
    parts.manifest["scores"] = {
        "list": split,
        "mean_iou": scored,
        "protocol": protocol,
        "weights": Path(weights).name,
        "of_these_weights": own,
    }


# -- the file


def _write(parts: _Parts, output: Path) -> Path:
    if output.suffix != SUFFIX:
        raise InputError(f"-o {output}: expected a file whose name ends in {SUFFIX}")
    weights = parts.model.weights
    check_not_an_input(output, [weights, parts.model.net])
    name = WEIGHTS[1] if weights.suffix == ".h5" else WEIGHTS[0]
    size, digest = weights.stat().st_size, content_hash(weights)
    texts = {each: parts.texts[each].encode() for each in MEMBERS if each in parts.texts}
    listed = {each: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()} for each, text in texts.items()}
    members = listed | {name: {"bytes": size, "sha256": digest}}
    manifest = {"format": FORMAT, "version": VERSION, **parts.manifest, "members": members}
    texts = {MANIFEST: (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode(), **texts}
    for each, length in {name: size, **{each: len(text) for each, text in texts.items()}}.items():
        if length > MEMBERS[each]:
            raise InputError(f"{each}: {length:,} bytes are too many for a bundle; expected at most {MEMBERS[each]:,}")
    with replacing(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as packed:
        for each, text in texts.items():
            packed.writestr(_header(each), text)
        _copy(weights, packed, _header(name), size, digest)
    return output


def _header(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.external_attr, info.create_system = _RIGHTS, _UNIX
    return info


def _copy(weights: Path, packed: zipfile.ZipFile, info: zipfile.ZipInfo, size: int, digest: str) -> None:
    """Copy the weight file, which must still be the one whose hash was taken."""
    total, done = hashlib.sha256(), 0
    info.file_size = size
    with weights.open("rb") as source, packed.open(info, "w") as target, Progress("bundle", size, 0, "B") as progress:
        while piece := source.read(_PIECE):
            total.update(piece)
            target.write(piece)
            done += len(piece)
            progress.reach(done)
    if total.hexdigest() != digest:
        raise InputError(f"{weights}: was changed while the bundle was written; run the command again")
