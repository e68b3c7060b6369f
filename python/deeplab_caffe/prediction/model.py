"""What a prediction needs of a model, and a model that is stated as files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ..data import Dataset, named_dataset
from ..errors import InputError
from ..experiment.testing import Testing
from ..formats import bundle
from ..formats.definition import read_definition
from ..formats.python_layers import layer_type

#: suffixes of other programs' models, and what to do with them
_OTHERS: Mapping[str, str] = {
    **dict.fromkeys((".pth", ".pt", ".safetensors", ".npz"), "adapt them with `deeplab weights port FILE --to NET`"),
    ".onnx": "an ONNX model; expected a Caffe net, deploy.prototxt, and weights, .caffemodel",
    bundle.SUFFIX: "a bundle; use it alone, as --exp",
    ".solverstate": "the state of a solver; the weights are the .caffemodel beside it",
}


@dataclass(frozen=True)
class Model:
    """A model that is ready for predictions.

    Attributes:
        name: for messages.
        net: the deploy net.
        weights: the weight file.
        test_net: the net that says how images are treated, or None.
        dataset: classes, colours and mean; None if nothing says them.
        testing: the protocol with which the model is tested.
        crf: the file of the CRF parameters that its experiment found, which may not exist; None without an experiment.
        unpacked: the bundle that the files are from; they exist as long as this model does.
    """

    name: str
    net: Path
    weights: Path
    test_net: Path | None
    dataset: Dataset | None
    testing: Testing
    crf: Path | None = None
    unpacked: bundle.Unpacked | None = None

    def shown(self, path: Path) -> str:
        """What to call one of the files: its path; of a bundle pets.deeplab/deploy.prototxt."""
        return str(path) if self.unpacked is None else self.unpacked.named(str(path))

    def naming(self) -> AbstractContextManager[None]:
        """A context whose errors name the files in this way."""
        return nullcontext() if self.unpacked is None else self.unpacked.naming()


def model_of_files(
    net: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    dataset: str | os.PathLike[str] | Dataset | None = None,
) -> Model:
    """A model stated as files.

    Args:
        net: the deploy net; test.prototxt beside it says mean and scale, if it exists.
        weights: the weight file.
        dataset: TOML file of the data set, its name, such as voc12, or a `Dataset`.

    Raises:
        InputError: a file is missing, or is no net or no weight file of a Caffe.
    """
    net, weights = Path(net), Path(weights)
    check_net(net)
    check_weights(weights)
    described = dataset if dataset is None or isinstance(dataset, Dataset) else named_dataset(os.fspath(dataset))
    beside = net.with_name("test.prototxt")
    return Model(str(net), net, weights, beside if beside.is_file() else None, described, Testing())


def check_net(net: Path) -> None:
    """Raise InputError unless a file is a Caffe net that has its images from a layer Input; says what to do."""
    if (hint := _OTHERS.get(net.suffix)) is not None:
        own = hint if net.suffix in (".onnx", bundle.SUFFIX) else "expected deploy.prototxt"
        raise InputError(f"--net {net}: {own}")
    if net.suffix in (".caffemodel", ".h5"):
        raise InputError(f"--net {net}: these are weights; use --net deploy.prototxt --weights {net}")
    param = read_definition(net).param
    if not param.input and not any(layer_type(layer) in ("Input", "DummyData") for layer in param.layer):
        near = net.with_name("deploy.prototxt")
        hint = f"; use {near}" if near != net and near.is_file() else ", such as deploy.prototxt"
        raise InputError(f"--net {net}: has no layer Input for an image; expected a net for predictions{hint}")


def check_weights(weights: Path) -> None:
    """Raise InputError unless a file can be weights of a Caffe; says what to do."""
    hint = _OTHERS.get(weights.suffix)
    if hint is not None:
        raise InputError(f"--weights {weights}: not weights of a Caffe (.caffemodel, .caffemodel.h5); {hint}")
    if not weights.is_file():
        raise InputError(f"--weights {weights}: there is no such file")
