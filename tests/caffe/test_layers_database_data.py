"""The "Data" layer: against a recording of C++ Caffe, by hand, its order, its errors."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.datum import array_to_datum, write_mean_file
from stores import batches, check_resume, datum, pixels, write_lmdb


@pytest.fixture
def data(net, tmp_path):
    """`data(records, batch_size, transform, …)`: a net of one Data layer over an LMDB of the records."""

    def build(records, batch_size=2, transform="", more="", tops='top: "data" top: "label"', phase=caffe.TEST):
        path = tmp_path / f"db{len(list(tmp_path.iterdir()))}"
        write_lmdb(path, records)
        return net(
            f'layer {{ name: "source" type: "Data" {tops} transform_param {{ {transform} }} '
            f'data_param {{ source: "{path}" batch_size: {batch_size} backend: LMDB {more} }} }}',
            phase,
        )

    return build


def test_agrees_with_the_recording(recordings, monkeypatch):
    monkeypatch.chdir(recordings / "formats")
    definition = messages.to_message(prototxt.Document(Path("lmdb.prototxt").read_text()), schema.NetParameter())
    net = caffe.Net.from_param(definition, caffe.TEST, "lmdb.prototxt")
    expected = np.load("lmdb_expected.npz")
    for i, batch in enumerate(batches(net, len(expected["data"]))):
        np.testing.assert_allclose(batch["data"], expected["data"][i], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(batch["label"], expected["label"][i])
    net.close()


def test_by_hand(data):
    image = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    net = data([datum(image, 3)], 1, "mean_value: 1 mean_value: 2 scale: 0.5")
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data, [[[[-0.5, 0], [0.5, 1]], [[1, 1.5], [2, 2.5]]]])
    np.testing.assert_array_equal(net.blobs["label"].data, [3])
    net.close()


def test_order_of_keys_wrapping_round(data, logged):
    net = data([datum(np.full((1, 1, 1), i, np.uint8), 10 * i) for i in range(3)])
    assert net.blobs["data"].shape == (2, 1, 1, 1) and net.blobs["label"].shape == (2,)
    seen = batches(net, 4)
    assert [b["data"].ravel().tolist() for b in seen] == [[0, 1], [2, 0], [1, 2], [0, 1]]
    assert [b["label"].tolist() for b in seen] == [[0, 10], [20, 0], [10, 20], [0, 10]]
    assert net.layers[0].position == 8
    net.close()
    assert "Restarting data prefetching from start." in logged()


def test_the_shape_is_that_of_the_first_datum_of_a_batch(data):
    records = [datum(np.zeros(s, np.uint8)) for s in ((1, 2, 3), (1, 2, 3), (2, 4, 1), (2, 4, 1))]
    net = data(records, tops='top: "data"')
    assert net.blobs["data"].shape == (2, 1, 2, 3)
    assert [b["data"].shape for b in batches(net, 3)] == [(2, 1, 2, 3), (2, 2, 4, 1), (2, 1, 2, 3)]
    net.close()


def test_float_and_encoded_datums(data):
    values = np.linspace(-1, 1, 8).reshape(2, 2, 2)
    net = data([datum(values)], 1, "mean_value: 0.5 scale: 2")
    np.testing.assert_allclose(batches(net, 1)[0]["data"][0], (values - 0.5) * 2, atol=1e-6)
    net.close()
    gray = pixels(4, 5)
    encoded = schema.Datum(encoded=True, label=1, data=cv2.imencode(".png", gray)[1].tobytes()).SerializeToString()
    for transform, channels in (("", 1), ("force_color: true", 3), ("force_gray: true", 1)):
        net = data([encoded], 1, transform)
        result = batches(net, 1)[0]["data"]
        assert result.shape == (1, channels, 4, 5)
        np.testing.assert_array_equal(result[0], np.broadcast_to(gray, (channels, 4, 5)))
        net.close()


def test_mean_file_is_read_where_the_pixel_was(data, tmp_path):
    image, mean = pixels(3, 6, 5), np.random.default_rng(0).uniform(0, 255, (3, 6, 5)).astype(np.float32)
    write_mean_file(tmp_path / "mean.binaryproto", mean)
    net = data([datum(image)], 1, f'mean_file: "{tmp_path}/mean.binaryproto" crop_size: 2 mirror: true scale: 0.25')
    expected = ((image - mean) * np.float32(0.25))[:, 2:4, 1:3]
    seen = {b["data"][0].tobytes() for b in batches(net, 16)}
    assert seen == {np.ascontiguousarray(e).tobytes() for e in (expected, expected[:, :, ::-1])}
    net.close()


def test_crops_at_random_in_train_and_in_the_centre_in_test(data):
    ramp = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    net = data([datum(ramp)], 1, "crop_size: 2")
    assert all(
        b["data"].ravel().tolist() == [1, 2, 5, 6] for b in batches(net, 4)
    )  # room 1 and 2: from row 0, column 1
    net.close()
    net = data([datum(ramp)], 1, "crop_size: 2", phase=caffe.TRAIN)
    corners = [int(b["data"][0, 0, 0, 0]) for b in batches(net, 60)]
    assert set(corners) == {0, 1, 2, 4, 5, 6}
    net.close()


def test_resumes_with_the_very_items_that_were_next(net, tmp_path):
    write_lmdb(tmp_path / "db", [datum(pixels(3, 7, 8, seed=i), i) for i in range(5)])
    text = (
        'layer { name: "source" type: "Data" top: "data" top: "label" transform_param { crop_size: 4 mirror: true } '
        f'data_param {{ source: "{tmp_path}/db" batch_size: 2 backend: LMDB prefetch: %d }} }}'
    )
    ahead = iter((4, 1))
    check_resume(lambda: net(text % next(ahead), caffe.TRAIN))


def test_items_do_not_depend_on_the_batches_that_carry_them(data):
    records = [datum(pixels(1, 9, 9, seed=i)) for i in range(4)]
    seen = []
    for batch_size in (1, 3):
        caffe.set_random_seed(5)
        net = data(records, batch_size, "crop_size: 4 mirror: true", phase=caffe.TRAIN)
        seen.append(np.concatenate([b["data"] for b in batches(net, 6 // batch_size)]))
        net.close()
    np.testing.assert_array_equal(*seen)


def test_leveldb_is_the_default(net, tmp_path):
    plyvel = pytest.importorskip("plyvel")
    with plyvel.DB(str(tmp_path / "db"), create_if_missing=True) as database:
        for i in range(3):
            database.put(f"{i}".encode(), datum(np.full((1, 1, 1), i, np.uint8)))
    text = f'layer {{ name: "source" type: "Data" top: "data" data_param {{ source: "{tmp_path}/db" batch_size: 2 }} }}'
    first, second = net(text), net(text)
    assert [b["data"].ravel().tolist() for b in batches(first, 3)] == [[0, 1], [2, 0], [1, 2]]
    second.layers[0].seek(7)
    assert batches(second, 1)[0]["data"].ravel().tolist() == [1, 2]
    first.close()
    second.close()


# -- errors


def _fails(make, match):
    with pytest.raises(InputError, match=r"layer 'source' \(Data\): .*" + match) as error:
        make()
    assert str(error.value).count("layer 'source'") == 1


def test_errors_at_set_up(data, tmp_path):
    one = [datum(np.zeros((3, 4, 5), np.uint8))]
    _fails(lambda: data([]), "the database is empty")
    _fails(lambda: data(one, 0), "batch_size is 0, wanted a positive number")
    _fails(lambda: data(one, 1, "mean_value: 1 mean_value: 2"), "2 mean values for 3 channels")
    _fails(lambda: data(one, 1, 'mean_value: 1 mean_file: "x"'), "both mean_file and mean_value")
    _fails(lambda: data(one, 1, 'mean_file: "/none"'), "/none: cannot read the mean file")
    _fails(lambda: data(one, 1, "force_color: true force_gray: true"), "both force_color and force_gray")
    _fails(lambda: data(one, 1, "crop_height: 2 crop_width: 2"), "crop_height, which only ImageSegData supports")
    _fails(lambda: data(one, 1, "", "crop_size: 2"), "data_param states crop_size, .*state it in transform_param")
    _fails(
        lambda: data(one, 1, "crop_size: 5"),
        r"record 0 \(key '00000000'\): is 5×4 pixels, smaller than the crop of 5×5",
    )
    write_mean_file(tmp_path / "mean", np.zeros((3, 4, 4)))
    _fails(
        lambda: data(one, 1, f'mean_file: "{tmp_path}/mean"'),
        r"record 0 \(key '00000000'\): is 3×4×5 .*, the mean of .*/mean 3×4×4; .* before it is cropped",
    )


def test_the_folder_is_not_there(net):
    text = (
        'layer { name: "source" type: "Data" top: "data" data_param { source: "/none" batch_size: 1 backend: LMDB } }'
    )
    _fails(lambda: net(text), "/none: does not exist")


def test_errors_of_records_name_them_and_come_again(data):
    good = datum(np.zeros((1, 4, 4), np.uint8))
    net = data([good, good, good, good[:12]])
    net.forward()
    message = r"layer 'source' \(Data\): .*record 3 \(key '00000003'\): not a Datum, or truncated \(12 bytes\)"
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            net.forward()
        assert net.layers[0].position == 2
    net.close()
    net = data([good, datum(np.zeros((1, 4, 5), np.uint8))])
    with pytest.raises(InputError, match=r"record 1 .*is 1×4×5 .*, the first item of its batch 1×4×4"):
        net.forward()
    net.close()
    short = array_to_datum(np.zeros((1, 4, 4), np.uint8))
    short.height = 5
    net = data([good, short.SerializeToString()])
    with pytest.raises(InputError, match=r"record 1 .*a datum of 1×5×4 .* has 16 values"):
        net.forward()
    net.close()
