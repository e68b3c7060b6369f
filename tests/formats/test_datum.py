"""Datums and mean files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.datum import array_to_datum, datum_to_array, parse_datum, read_mean_file, write_mean_file


def test_bytes_and_floats_there_and_back():
    raw = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
    datum = parse_datum(array_to_datum(raw, label=7).SerializeToString())
    assert (datum.channels, datum.height, datum.width, datum.label, datum.data) == (2, 3, 2, 7, bytes(range(12)))
    np.testing.assert_array_equal(datum_to_array(datum), raw)
    values = raw / 8 - 1
    datum = array_to_datum(values)
    assert not datum.data and not datum.HasField("label")
    back = datum_to_array(datum)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(("color", "shape"), [(None, (1, 4, 5)), (True, (3, 4, 5)), (False, (1, 4, 5))])
def test_encoded_gray(color, shape):
    gray = np.arange(20, dtype=np.uint8).reshape(4, 5)
    datum = schema.Datum(encoded=True, data=cv2.imencode(".png", gray)[1].tobytes())
    decoded = datum_to_array(datum, color)
    assert decoded.shape == shape
    np.testing.assert_array_equal(decoded, np.broadcast_to(gray, shape))


def test_encoded_colour_is_blue_green_red():
    image = np.zeros((2, 3, 3), np.uint8)
    image[..., 0], image[..., 2] = 10, 200  # OpenCV's order: blue, green, red
    datum = schema.Datum(encoded=True, data=cv2.imencode(".png", image)[1].tobytes())
    np.testing.assert_array_equal(datum_to_array(datum), image.transpose(2, 0, 1))


def test_damaged_datums():
    with pytest.raises(InputError, match=r"not a Datum, or truncated \(10 bytes\)"):
        parse_datum(array_to_datum(np.zeros((1, 4, 4), np.uint8)).SerializeToString()[:10])
    with pytest.raises(InputError, match=r"a datum of 3×4×4 \(channels × height × width\) has 16 values"):
        datum_to_array(schema.Datum(channels=3, height=4, width=4, data=bytes(16)))
    with pytest.raises(InputError, match="a datum of 0×0×0"):
        datum_to_array(schema.Datum())
    with pytest.raises(InputError, match=r"OpenCV cannot read the encoded image \(3 bytes\)"):
        datum_to_array(schema.Datum(encoded=True, data=b"abc"))
    deep = cv2.imencode(".png", np.zeros((2, 2), np.uint16))[1].tobytes()
    with pytest.raises(InputError, match="expected an encoded image of 8 bits per channel, got uint16"):
        datum_to_array(schema.Datum(encoded=True, data=deep))
    with pytest.raises(InputError, match=r"expected a datum \(channels, height, width\), got"):
        array_to_datum(np.zeros((2, 2)))


def test_mean_file_there_and_back(tmp_path):
    mean = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 3
    path = tmp_path / "mean.binaryproto"
    write_mean_file(path, mean)
    blob = schema.BlobProto()
    blob.ParseFromString(path.read_bytes())
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 2, 3, 4)
    np.testing.assert_array_equal(read_mean_file(path), mean)
    blob = schema.BlobProto(double_data=mean.ravel().tolist())
    blob.shape.dim.extend([1, 2, 3, 4])
    path.write_bytes(blob.SerializeToString())
    np.testing.assert_array_equal(read_mean_file(path), mean)


def test_mean_file_errors(tmp_path):
    path = tmp_path / "mean.binaryproto"
    with pytest.raises(InputError, match=r"mean\.binaryproto: cannot read the mean file: No such file"):
        read_mean_file(path)
    path.write_bytes(b"\xff\xff\xff")
    with pytest.raises(InputError, match=r"mean\.binaryproto: not a mean file"):
        read_mean_file(path)
    path.write_bytes(schema.BlobProto(num=2, channels=1, height=1, width=1, data=[1, 2]).SerializeToString())
    with pytest.raises(InputError, match=r"2 values in a blob of shape \(2, 1, 1, 1\); expected one mean image"):
        read_mean_file(path)
    with pytest.raises(InputError, match=r"expected a mean image \(channels, height, width\), got"):
        write_mean_file(path, np.zeros(3))
