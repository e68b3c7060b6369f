"""Weight files: all dialects in, round trips, and damaged files refused with a message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema, weights, weights_hdf5
from deeplab_caffe.formats.weight_files import read_weight_file

_DATA = Path(__file__).parent.parent / "data" / "formats"


def _written(path: Path, net) -> Path:
    path.write_bytes(net.SerializeToString())
    return path


def test_round_trip_keeps_names_types_shapes_and_values(tmp_path):
    arrays = [np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.float32(5).reshape(()), np.zeros((0, 3), np.float32)]
    definition = schema.LayerParameter(name="fc8_voc/é", type="Convolution").SerializeToString()
    plain = schema.LayerParameter(name="relu", type="ReLU").SerializeToString()
    path = tmp_path / "a.caffemodel"
    layers = [(definition, [weights.encode_blob(a, a + 1) for a in arrays]), (plain, [])]
    weights.write_caffemodel(path, "net", layers)
    first, second = weights.read_caffemodel(path)
    assert (first.name, first.type) == ("fc8_voc/é", "Convolution")
    assert (second.name, second.type, second.blobs) == ("relu", "ReLU", [])
    for array, blob in zip(arrays, first.blobs, strict=True):
        assert blob.data.shape == array.shape
        assert blob.data.dtype == np.float32
        np.testing.assert_array_equal(blob.data, array)
        np.testing.assert_array_equal(blob.diff, array + 1)
        assert not blob.legacy


def test_protobuf_reads_what_is_written(tmp_path):
    path = tmp_path / "a.caffemodel"
    data = np.array([[1.5, -2]], np.float32)
    definition = schema.LayerParameter(name="x", type="InnerProduct").SerializeToString()
    weights.write_caffemodel(path, "n", [(definition, [weights.encode_blob(data)])])
    net = schema.NetParameter.FromString(path.read_bytes())
    blob = net.layer[0].blobs[0]
    assert (net.name, list(blob.shape.dim), list(blob.data), len(blob.diff)) == ("n", [1, 2], [1.5, -2], 0)


def test_legacy_sizes_give_four_axes(tmp_path):
    net = schema.NetParameter()
    net.layer.add(name="x").blobs.add(num=1, channels=1, height=2, width=3, data=range(6))
    blob = weights.read_caffemodel(_written(tmp_path / "f", net))[0].blobs[0]
    assert blob.legacy
    np.testing.assert_array_equal(blob.data, np.arange(6).reshape(1, 1, 2, 3))


def test_file_of_the_2014_form():
    expected = np.load(_DATA / "v1_expected.npz")
    layers = {layer.name: layer for layer in weights.read_caffemodel(_DATA / "v1.caffemodel")}
    assert layers["conv1"].type.isdigit()
    for name in ("conv1", "fc2"):
        for i, blob in enumerate(layers[name].blobs):
            assert blob.legacy
            assert blob.data.ndim == 4
            np.testing.assert_array_equal(blob.data.reshape(expected[f"{name}_{i}"].shape), expected[f"{name}_{i}"])


def test_file_of_the_oldest_form(tmp_path):
    blob = schema.BlobProto(num=1, channels=1, height=1, width=2, data=[3, 4]).SerializeToString()
    inner = weights.encode_bytes(1, b"ip") + weights.encode_bytes(2, b"innerproduct") + weights.encode_bytes(50, blob)
    (tmp_path / "f").write_bytes(weights.encode_bytes(2, weights.encode_bytes(1, inner)))
    layer = weights.read_caffemodel(tmp_path / "f")[0]
    assert (layer.name, layer.type, layer.blobs[0].data.ravel().tolist()) == ("ip", "innerproduct", [3, 4])


def _blob_file(path: Path, *parts: bytes) -> np.ndarray:
    layer = weights.encode_bytes(1, b"x") + weights.encode_bytes(7, b"".join(parts))
    path.write_bytes(weights.encode_bytes(100, layer))
    return weights.read_caffemodel(path)[0].blobs[0].data


def test_unpacked_values_and_sizes(tmp_path):
    values = b"".join(b"\x2d" + np.float32(v).tobytes() for v in (1, 2, 3))
    sizes = weights.encode_bytes(7, b"\x08\x03")  # dim: 3, not packed
    np.testing.assert_array_equal(_blob_file(tmp_path / "f", values, sizes), [1, 2, 3])


def test_packed_values_in_several_pieces(tmp_path):
    pieces = [weights.encode_bytes(5, np.full(2, v, np.float32).tobytes()) for v in (1, 2)]
    shape = weights.encode_bytes(7, weights.encode_bytes(1, b"\x04"))
    np.testing.assert_array_equal(_blob_file(tmp_path / "f", pieces[0], shape, pieces[1]), [1, 1, 2, 2])


def test_double_values_win(tmp_path):
    net = schema.NetParameter()
    net.layer.add(name="x").blobs.add(double_data=[1, 2**-30], data=[9, 9]).shape.dim.append(2)
    data = weights.read_caffemodel(_written(tmp_path / "f", net))[0].blobs[0].data
    assert data.dtype == np.float32
    assert data.tolist() == [1, 2**-30]


def test_other_fields_do_not_matter(tmp_path):
    net = schema.NetParameter(name="n", input=["a"])
    layer = net.layer.add(name="x", type="T", bottom=["a"], phase=1)
    layer.convolution_param.kernel_size.append(3)
    layer.blobs.add(data=[7]).shape.dim.append(1)
    unknown = weights.encode_bytes(4321, b"\xff\xff") + b"\x98\x75\x01"
    path = tmp_path / "f"
    path.write_bytes(unknown + net.SerializeToString())
    assert weights.read_caffemodel(path)[0].blobs[0].data.tolist() == [7]


def test_every_truncation_is_refused_or_ends_between_layers(tmp_path):
    whole = (_DATA / "v1.caffemodel").read_bytes()
    complete = len(weights.read_caffemodel(_DATA / "v1.caffemodel"))
    path = tmp_path / "f"
    fewer = 0
    for end in [*range(200), *range(200, len(whole), 17), *range(len(whole) - 60, len(whole))]:
        path.write_bytes(whole[:end])
        try:
            layers = weights.read_caffemodel(path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            fewer += 1
            assert 0 < len(layers) < complete
    assert fewer <= complete


def test_a_truncated_file_says_after_which_layer(tmp_path):
    net = schema.NetParameter()
    for name in ("first", "second"):
        net.layer.add(name=name).blobs.add(data=[1, 2]).shape.dim.append(2)
    path = _written(tmp_path / "f", net)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"f: truncated or not a \.caffemodel: .*after layer 'first'; the file has"):
        weights.read_caffemodel(path)


def test_damaged_bytes_never_raise_anything_but_input_error(tmp_path):
    whole = bytearray((_DATA / "v1.caffemodel").read_bytes())
    random = np.random.default_rng(0)
    path = tmp_path / "f"
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for at in random.integers(0, 400, 3):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        try:
            weights.read_caffemodel(path)
        except InputError:
            refused += 1
    assert refused > 30
    for size in (1, 2, 10, 1000):
        path.write_bytes(random.bytes(size))
        with pytest.raises(InputError):
            weights.read_caffemodel(path)


@pytest.mark.parametrize(
    "blob",
    [
        b"\x28\x01",  # data as an integer
        b"\x38\x01",  # shape as an integer
        weights.encode_bytes(5, b"abc"),
        weights.encode_bytes(5, b"abcdabcd"),
        weights.encode_bytes(7, weights.encode_bytes(1, b"\x00" + b"\xff" * 9 + b"\x01")),
        weights.encode_bytes(7, weights.encode_bytes(1, b"\x00" * 100)),
        weights.encode_bytes(7, weights.encode_bytes(1, b"\x05")),
    ],
)
def test_senseless_blobs_are_refused(tmp_path, blob):
    with pytest.raises(InputError, match="truncated or not a .caffemodel"):
        _blob_file(tmp_path / "f", blob)


def test_missing_empty_and_other_files(tmp_path):
    with pytest.raises(InputError, match=r"Could not open file .*nowhere"):
        weights.read_caffemodel(tmp_path / "nowhere")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(InputError, match="empty: the file is empty"):
        weights.read_caffemodel(tmp_path / "empty")
    (tmp_path / "named").write_bytes(schema.NetParameter(name="n").SerializeToString())
    with pytest.raises(InputError, match="has no layers"):
        weights.read_caffemodel(tmp_path / "named")
    with pytest.raises(InputError, match="Could not open file"):
        weights.read_solverstate(tmp_path)


def test_solver_state_round_trip_and_protobuf(tmp_path):
    history = [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(4).reshape(())]
    path = tmp_path / "s.solverstate"
    weights.write_solverstate(path, weights.SolverState(300, "a_iter_300.caffemodel", history, 2))
    state = weights.read_solverstate(path)
    assert (state.iter, state.learned_net, state.current_step) == (300, "a_iter_300.caffemodel", 2)
    for ours, array in zip(state.history, history, strict=True):
        np.testing.assert_array_equal(ours, array)
    message = schema.SolverState.FromString(path.read_bytes())
    assert (message.iter, message.current_step, list(message.history[0].data)) == (300, 2, [0, 1, 2, 3, 4, 5])


def test_a_truncated_solver_state_is_refused(tmp_path):
    path = tmp_path / "s"
    weights.write_solverstate(path, weights.SolverState(1, "x", [np.ones(5, np.float32)], 0))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(InputError, match=r"truncated or not a \.solverstate"):
        weights.read_solverstate(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    with pytest.raises(TypeError):
        weights.write_caffemodel(tmp_path / "f", "n", [(b"", [None])])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["", ".h5"])
def test_a_state_in_place_of_weights_is_named_as_such(tmp_path, suffix):
    path = tmp_path / f"train_iter_5.caffemodel{suffix}"  # whatever it is called
    state = weights.SolverState(5, "train_iter_5.caffemodel", [np.ones((2, 3), np.float32)], 0)
    (weights_hdf5 if suffix else weights).write_solverstate(path, state)
    with pytest.raises(InputError, match=r"is the state of a solver \(.solverstate\); the weights are in the"):
        read_weight_file(path)


def test_hdf5_stores_what_has_a_name(tmp_path):
    ones = np.ones(2, np.float32)
    named, plain = weights_hdf5.LayerDatasets("ip", {0: ones}), weights_hdf5.LayerDatasets("")
    path = tmp_path / "a.caffemodel.h5"
    weights_hdf5.write_caffemodel(path, [plain, named, weights_hdf5.LayerDatasets("ip")])
    assert [layer.name for layer in weights_hdf5.read_caffemodel(path)] == ["ip"]
    for layers, message in (
        ([weights_hdf5.LayerDatasets("", {0: ones})], r"layer 0 \(from 0\) has parameters but no name"),
        ([named, weights_hdf5.LayerDatasets("ip", {0: ones})], "two layers are named 'ip'"),
    ):
        with pytest.raises(InputError, match=message):
            weights_hdf5.write_caffemodel(tmp_path / "b.h5", layers)
    assert not (tmp_path / "b.h5").exists()
