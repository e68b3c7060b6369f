"""Whole nets in both dialects: the same loss, gradients, outputs and trained weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bvlc.dialects import in_bvlc
from deeplab_caffe import caffe
from deeplab_caffe.nets import GeneratorOptions, generate
from tolerances import assert_same_sums

#: LargeFOV with an eighth of the channels; images are never larger than the crop, so nothing is drawn but dropout
_OPTIONS = {
    "dataset": "tiny.toml", "crop": 33, "test_crop": 41, "batch_size": 2, "width": 0.03, "batch_norm": True,
    "iterations": 3, "display": 1, "random_seed": 1, "solver_mode": "CPU", "folder": ".", "experiment": ".",
}  # fmt: skip


@pytest.fixture
def nets(tiny: Path) -> dict[str, str]:
    """File names to texts in DeepLab's dialect, without shuffling and mirroring."""
    texts = generate("tiny/largefov", GeneratorOptions(**_OPTIONS))
    drawn = ("    mirror: true\n", "    shuffle: true\n")
    assert all(line in texts["train.prototxt"] for line in drawn)
    return {name: text.replace(drawn[0], "").replace(drawn[1], "") for name, text in texts.items()}


def _both(text: str) -> tuple[str, str]:
    Path("native.prototxt").write_text(text)
    Path("bvlc.prototxt").write_text(in_bvlc(text))
    return "native.prototxt", "bvlc.prototxt"


def _pair(text: str, phase: int) -> list[caffe.Net]:
    """The net in both dialects, with the same random parameters."""
    nets = [caffe.Net(path, phase) for path in _both(text)]
    for net in nets:
        random = np.random.default_rng(0)
        for name, blobs in net.params.items():
            for blob in blobs:
                blob.data[...] = (
                    random.uniform(0.5, 1.5, blob.shape)
                    if name.startswith("bn")
                    else (random.normal(0, 1 / np.sqrt(max(1, blob.count // blob.shape[0])), blob.shape))
                )
    return nets


def test_training_net(nets: dict[str, str]) -> None:
    native, bvlc = _pair(nets["train.prototxt"], caffe.TRAIN)
    for seed in range(3):  # the list has three batches
        losses = []
        for net in (native, bvlc):
            caffe.set_random_seed(seed)  # of dropout
            losses.append(net._forward(0, len(net.layers) - 1))
            net.clear_param_diffs()
            net.backward()
        assert losses[1] == pytest.approx(losses[0], rel=1e-5) and losses[0] > 0
        for name, blob in native.blobs.items():
            if name in bvlc.blobs:
                assert_same_sums(bvlc.blobs[name].data, blob.data, name)
        assert {"data", "label", "label_shrink", "accuracy", "fc8_tiny"} <= set(bvlc.blobs)
        for name, blobs in native.params.items():
            for ours, theirs in zip(bvlc.params[name], blobs, strict=True):
                assert_same_sums(ours.diff, theirs.diff, name, tiny=1e-7)


def test_test_net(nets: dict[str, str]) -> None:
    native, bvlc = _pair(nets["test.prototxt"], caffe.TEST)
    for _ in range(3):
        expected, found = native.forward(), bvlc.forward()
        assert expected.keys() == found.keys() == {"fc8_interp"}
        assert expected["fc8_interp"].shape == (1, 3, 41, 41) and expected["fc8_interp"].any()
        assert_same_sums(found["fc8_interp"], expected["fc8_interp"], tiny=0)


def test_training(nets: dict[str, str]) -> None:
    weights = []
    for path in _both(nets["train.prototxt"]):
        solver_text = nets["solver.prototxt"].replace('"./train.prototxt"', f'"{path}"')
        assert path in solver_text
        Path("solver.prototxt").write_text(solver_text)
        solver = caffe.get_solver("solver.prototxt")
        solver.step(3)
        weights.append({name: [b.data.copy() for b in blobs] for name, blobs in solver.net.params.items()})
        solver.net.close()
    for name, blobs in weights[0].items():
        for native, ours in zip(blobs, weights[1][name], strict=True):
            assert_same_sums(ours, native, name, tiny=1e-7)


def test_the_generator_writes_the_same(tiny: Path) -> None:
    """`--dialect bvlc` is nothing but the conversion of what is generated without it."""
    native, bvlc = (
        generate("tiny/largefov", GeneratorOptions(**_OPTIONS, dialect=dialect)) for dialect in (None, "bvlc")
    )
    for name, text in native.items():
        converted = text if name.startswith("solver") else in_bvlc(text)
        assert bvlc[name].split("sha256")[1][72:] == converted.split("sha256")[1][72:]
        assert "--dialect bvlc" in bvlc[name].split("\n")[1]
