"""SSD's AnnotatedData as its test nets use it: boxes by hand, the ways to resize, what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.datum import array_to_datum
from stores import batches, check_resume, pixels, write_lmdb

_MEANS = "mean_value: 104 mean_value: 117 mean_value: 123"
_RESIZED = f"{_MEANS} resize_param {{ prob: 1 resize_mode: WARP height: 6 width: 8 }}"


def annotated(image, *groups, encoded=True, kind=schema.AnnotatedDatum.BBOX) -> bytes:
    """A record of an image (H, W, 3); a group is (class, boxes), a box (x1, y1, x2, y2, difficult)."""
    record = schema.AnnotatedDatum()
    if encoded:
        record.datum.CopyFrom(schema.Datum(encoded=True, data=cv2.imencode(".png", image)[1].tobytes(), label=-1))
    else:
        record.datum.CopyFrom(array_to_datum(image.transpose(2, 0, 1), 7))
    if kind is not None:
        record.type = kind
    for label, boxes in groups:
        group = record.annotation_group.add(group_label=label)
        for i, (*corners, difficult) in enumerate(boxes):
            note = group.annotation.add(instance_id=i)
            for name, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
                setattr(note.bbox, name, value)
            note.bbox.difficult = difficult
    return record.SerializeToString()


@pytest.fixture
def data(net, tmp_path):
    """`data(records, batch_size, transform, more)`: a net of one AnnotatedData layer over an LMDB of the records."""

    def build(records, batch_size=2, transform="", more="batch_sampler { }", phase=caffe.TEST):
        path = tmp_path / f"db{len(list(tmp_path.iterdir()))}"
        write_lmdb(path, records)
        return net(
            'layer { name: "source" type: "AnnotatedData" top: "data" top: "label" '
            f"transform_param {{ {transform} }} annotated_data_param {{ {more} }} "
            f'data_param {{ source: "{path}" batch_size: {batch_size} backend: LMDB }} }}',
            phase,
        )

    return build


def test_images_and_boxes_of_a_test_net(data):
    one, two, none = (pixels(10, n, 3) for n in (12, 20, 9))
    net = data(
        [
            annotated(one, (3, [(0.1, 0.2, 0.5, 0.6, False)]), (5, [(-0.1, 0.5, 1.2, 1.0, True), (0, 0, 0, 1, False)])),
            annotated(two, (1, [(0.25, 0, 0.75, 1, False)])),
            annotated(none),
            annotated(none),
        ],
        transform=_RESIZED,
    )
    assert net.blobs["data"].shape == (2, 3, 6, 8) and net.blobs["label"].shape == (1, 1, 2, 8)
    first, second = batches(net, 2)
    wanted = cv2.resize(two, (8, 6)).astype(np.float32) - np.array([104, 117, 123], np.float32)
    np.testing.assert_array_equal(first["data"][1], wanted.transpose(2, 0, 1))
    rows = [[0, 3, 0, 0.1, 0.2, 0.5, 0.6, 0], [0, 5, 0, 0, 0.5, 1, 1, 1], [1, 1, 0, 0.25, 0, 0.75, 1, 0]]
    np.testing.assert_allclose(first["label"], [[rows]], atol=1e-6)
    np.testing.assert_array_equal(second["label"], -np.ones((1, 1, 1, 8)))
    net.close()


def test_padding_keeps_the_aspect(data):
    image = np.full((10, 20, 3), 200, np.uint8)
    how = "resize_mode: FIT_LARGE_SIZE_AND_PAD height: 8 width: 8 pad_value: 50"
    net = data([annotated(image, (1, [(0.5, 0, 1, 0.5, False)]))], 1, f"resize_param {{ {how} }}")
    found = batches(net, 1)[0]
    np.testing.assert_array_equal(found["data"][0, 0, :, 0], [50, 50, 200, 200, 200, 200, 50, 50])
    np.testing.assert_allclose(found["label"][0, 0, 0], [0, 1, 0, 0.5, 0.25, 1, 0.5, 0])
    net.close()
    net = data([annotated(image.transpose(1, 0, 2), (1, [(0, 0.5, 0.5, 1, False)]))], 1, f"resize_param {{ {how} }}")
    np.testing.assert_allclose(batches(net, 1)[0]["label"][0, 0, 0], [0, 1, 0, 0.25, 0.5, 0.5, 1, 0])
    net.close()


def test_the_smaller_side_and_a_crop(data):
    image = pixels(10, 20, 3)
    how = "resize_param { resize_mode: FIT_SMALL_SIZE height: 8 width: 8 interp_mode: NEAREST } crop_size: 8 scale: 2"
    record = annotated(image, (1, [(0, 0, 0.2, 1, False), (0.5, 0.5, 1, 1, False)]), encoded=False)
    found = batches(data([record], 1, how), 1)[0]
    resized = cv2.resize(image, (16, 8), interpolation=cv2.INTER_NEAREST)[:, 4:12]
    np.testing.assert_array_equal(found["data"][0], 2 * resized.transpose(2, 0, 1).astype(np.float32))
    np.testing.assert_allclose(found["label"][0, 0], [[0, 1, 1, 0.5, 0.5, 1, 1, 0]])  # the first box is cut away


def test_records_without_annotations_have_labels(data):
    records = [annotated(pixels(4, 4, 3, seed=i), encoded=False, kind=None) for i in range(2)]
    net = data(records)
    assert net.blobs["label"].shape == (2,)
    np.testing.assert_array_equal(batches(net, 1)[0]["label"], [7, 7])
    net.close()
    mixed = data([records[0], annotated(pixels(4, 4, 3))])
    with pytest.raises(InputError, match="some records of a batch have annotations, others have none"):
        mixed.forward()
    mixed.close()


def test_resumes_where_it_was(data):
    records = [annotated(pixels(9, 9, 3, seed=i), (i, [(0, 0, 0.5, 0.5, False)] * i)) for i in range(5)]
    how = "resize_param { height: 4 width: 4 interp_mode: LINEAR interp_mode: AREA interp_mode: CUBIC }"
    check_resume(lambda: data(records, transform=how))


@pytest.mark.parametrize(
    ("transform", "more", "message"),
    [
        ("distort_param { hue_prob: 0.5 }", "", "states distort_param, which changes images at random .*TEST phase"),
        ("expand_param { prob: 0.5 }", "", "states expand_param"),
        ("mirror: true", "", "states mirror"),
        ("", "batch_sampler { } batch_sampler { sampler { min_scale: 0.3 } }", "batch_sampler 1 cuts images at random"),
        ("resize_param { height: 3 }", "", r"3 x 0 \(height x width\), wanted both"),
        ("crop_h: 3 crop_w: 4", "", "only square crops"),
        ("crop_size: 9", "", r"record 0 \(key '00000000'\): is 4×4 pixels, smaller than the crop of 9×9"),
    ],
)
def test_what_is_for_training_is_refused(data, transform, more, message):
    with pytest.raises(InputError, match=message):
        data([annotated(pixels(4, 4, 3))], 1, transform, more)


def test_damaged_records_are_named(data):
    with pytest.raises(InputError, match=r"layer 'source' \(AnnotatedData\): .*record 0 .*: not an AnnotatedDatum"):
        data([b"\xff\xff\xff"])
    with pytest.raises(InputError, match="record 0 .*a datum of 0×0×0"):
        data([schema.AnnotatedDatum(type=0).SerializeToString()])
