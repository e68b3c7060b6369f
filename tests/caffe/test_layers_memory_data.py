"""The "MemoryData" and "DummyData" layers."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from stores import batches

_MEMORY = (
    'layer { name: "memory" type: "MemoryData" top: "data" top: "label" '
    "memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 } }"
)


def _arrays(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(3.0 * count, dtype=np.float32).reshape(count, 1, 1, 3), np.arange(count, dtype=np.float32)


def test_arrays_are_handed_out_over_and_over(net):
    built = net(_MEMORY)
    assert (built.blobs["data"].shape, built.blobs["label"].shape) == ((2, 1, 1, 3), (2,))
    data, labels = _arrays(4)
    built.layers[0].reset(data, labels)
    seen = batches(built, 3)
    assert seen[0]["label"].shape == (2, 1, 1, 1)
    assert [b["label"].ravel().tolist() for b in seen] == [[0, 1], [2, 3], [0, 1]]
    np.testing.assert_array_equal(seen[1]["data"], data[2:])
    assert built.layers[0].position == 6


def test_arrays_are_referenced_but_not_written(net):
    built = net(_MEMORY)
    data, labels = _arrays(2)
    built.layers[0].reset(data, labels.reshape(2, 1, 1, 1))
    built.forward()
    built.blobs["data"].data[...] = -1
    assert data.min() == 0
    data[...] = 5
    built.forward()
    assert np.all(built.blobs["data"].data == 5)


def test_seek_after_reset(net):
    built = net(_MEMORY)
    built.layers[0].reset(*_arrays(4))
    built.layers[0].seek(10)
    assert batches(built, 1)[0]["label"].ravel().tolist() == [2, 3]
    built.layers[0].reset(*_arrays(2))
    assert batches(built, 1)[0]["label"].ravel().tolist() == [0, 1]


def test_memory_data_errors(net, logged):
    built = net(_MEMORY)
    with pytest.raises(InputError, match=r"layer 'memory' \(MemoryData\): has no data; call set_input_arrays"):
        built.forward()
    data, labels = _arrays(4)
    reset = built.layers[0].reset
    for arrays, match in (
        ((data.astype(float), labels), "the data are float64, wanted a C-contiguous float32 array"),
        ((data[:, :, :, ::-1], labels), "the data are float32 not C-contiguous"),
        ((data[:, 0], labels), r"the data have shape \(4, 1, 3\), wanted \(n, 1, 1, 3\)"),
        ((data, labels.reshape(2, 2)), r"the labels have shape \(2, 2\), wanted \(n, 1, 1, 1\)"),
        ((data[:2], labels), "2 data and 4 labels, wanted equal numbers"),
        ((data[:3], labels[:3]), "3 items, wanted a multiple of the batch size 2"),
        ((data[:0], labels[:0]), "0 items, wanted a multiple"),
    ):
        with pytest.raises(InputError, match=r"layer 'memory' \(MemoryData\): " + match):
            reset(*arrays)
    with pytest.raises(InputError, match="height is 0 or not stated"):
        net(_MEMORY.replace("height: 1", ""))
    scaled = net(_MEMORY.replace("memory_data_param", "transform_param { scale: 2 } memory_data_param"))
    scaled.layers[0].reset(data, labels)
    np.testing.assert_array_equal(batches(scaled, 1)[0]["data"], data[:2])
    assert any(line.endswith("Transform parameters ignored by Reset") for line in logged())


# -- DummyData


def _dummy(tops: int, text: str) -> str:
    names = " ".join(f'top: "t{i}"' for i in range(tops))
    return f'layer {{ name: "dummy" type: "DummyData" {names} dummy_data_param {{ {text} }} }}'


def test_constants_are_filled_once(net):
    built = net(_dummy(2, 'shape { dim: 2 dim: 3 } data_filler { type: "constant" value: 4 }'))
    built.forward()
    assert all(np.all(built.blobs[t].data == 4) and built.blobs[t].shape == (2, 3) for t in ("t0", "t1"))
    built.blobs["t0"].data[...] = 9
    built.forward()
    assert np.all(built.blobs["t0"].data == 9)
    assert built.layers[0].position == 4


def test_nothing_stated_is_zero(net):
    built = net(_dummy(2, "shape { } shape { dim: 2 }"))
    built.forward()
    assert built.blobs["t0"].shape == () and built.blobs["t1"].data.tolist() == [0, 0]


def test_other_fillers_fill_at_every_forward(net):
    text = 'shape { dim: 50 } data_filler { type: "uniform" min: 2 max: 3 } data_filler { value: 1 }'
    built = net(_dummy(2, text))
    built.blobs["t1"].data[...] = 6
    first, second = batches(built, 2)
    assert first["t0"].min() >= 2 and first["t0"].max() <= 3
    assert not np.array_equal(first["t0"], second["t0"])
    assert np.all(second["t1"] == 6)
    caffe.set_random_seed(3)
    third = batches(built, 1)[0]["t0"]
    caffe.set_random_seed(3)
    np.testing.assert_array_equal(batches(built, 1)[0]["t0"], third)


def test_old_sizes(net):
    built = net(_dummy(2, "num: 2 channels: 3 channels: 1 height: 4 width: 5 width: 6"))
    assert (built.blobs["t0"].shape, built.blobs["t1"].shape) == ((2, 3, 4, 5), (2, 1, 4, 6))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "states 0 shapes for 3 tops, wanted one, or one for each"),
        ("shape { } shape { }", "states 2 shapes for 3 tops"),
        ("shape { } num: 1", "states shape and also num, channels, height or width"),
        ("num: 1 channels: 1 height: 1", "states width 0 times for 3 tops, wanted once, or once for each"),
        ("shape { } data_filler { } data_filler { }", "states 2 data_fillers for 3 tops"),
        ('shape { dim: 1 } data_filler { type: "gauss" }', "unknown filler type 'gauss'"),
    ],
)
def test_dummy_data_errors(net, text, match):
    with pytest.raises(InputError, match=r"layer 'dummy' \(DummyData\): " + match):
        net(_dummy(3, text)).forward()
