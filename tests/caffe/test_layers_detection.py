"""Layers of detectors and small nets: hand-worked results, properties, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.region import anchors
from deeplab_caffe.errors import InputError


def _ramp(height: int, width: int) -> np.ndarray:
    """(1, 1, H, W): 0, 1, 2 …"""
    return np.arange(float(height * width)).reshape(1, 1, height, width)


# -- PriorBox


def test_prior_boxes_of_a_position(layer):
    given = "min_size: 4.9 max_size: 16 aspect_ratio: 4 variance: [0.1, 0.1, 0.2, 0.2]"
    net = layer(f'type: "PriorBox" prior_box_param {{ {given} }}', np.zeros((1, 1, 1, 2)), np.zeros((1, 3, 10, 40)))
    boxes, variances = net.blobs["top"].data.reshape(2, 2, 4, 4)
    # centres (10, 5) and (30, 5); squares of 4 (4.9 cut off) and of 8, then 8 x 2 and 2 x 8 (ratio 4, ratio 1/4)
    pixels = [[8, 3, 12, 7], [6, 1, 14, 9], [6, 4, 14, 6], [9, 1, 11, 9]]
    scale = [40, 10, 40, 10]
    np.testing.assert_allclose(boxes[0] * scale, pixels, rtol=1e-5)
    np.testing.assert_allclose(boxes[1] * scale, np.add(pixels, [20, 0, 20, 0]), rtol=1e-5)
    np.testing.assert_allclose(variances, np.broadcast_to([0.1, 0.1, 0.2, 0.2], (2, 4, 4)), rtol=1e-6)


def test_prior_boxes_are_cut_to_the_image(layer):
    given = "min_size: 20 clip: true img_size: 10 step: 5 offset: 0"
    net = layer(f'type: "PriorBox" prior_box_param {{ {given} }}', np.zeros((1, 1, 1, 2)), np.zeros((1, 3, 1, 1)))
    np.testing.assert_array_equal(net.blobs["top"].data[0, 0].reshape(2, 4), [[0, 0, 1, 1], [0, 0, 1, 1]])
    np.testing.assert_array_equal(net.blobs["top"].data[0, 1], np.full(8, 0.1, np.float32))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "min_size is not stated"),
        ("min_size: 4 max_size: 4", "max_size .4.0. must be greater than min_size .4.0."),
        ("min_size: [4, 8] max_size: 9", "1 max_size for 2 min_size"),
        ("min_size: 4 variance: [1, 1]", "wanted one positive number or four"),
        ("min_size: 4 step: 1 step_h: 2", "either step, or step_h and step_w"),
        ("min_size: 4 img_h: 3", "either img_size, or img_h and img_w"),
        ("min_size: 4 step: 0", "step is 0 x 0"),
    ],
)
def test_wrong_prior_boxes(layer, given, message):
    with pytest.raises(InputError, match=message):
        layer(f'type: "PriorBox" prior_box_param {{ {given} }}', np.zeros((1, 1, 2, 2)), np.zeros((1, 3, 9, 9)))


# -- DetectionOutput

_PRIORS = np.array([[[0, 0, 0.4, 0.4], [0, 0, 0.4, 0.5], [0.5, 0.5, 1, 1]], [[0.1, 0.1, 0.2, 0.2]] * 3]).reshape(
    1, 2, 12
)


def _detected(layer, given: str, scores: list, offsets: np.ndarray | None = None) -> np.ndarray:
    scores = np.array(scores, float)
    offsets = np.zeros((len(scores), 12)) if offsets is None else offsets
    net = layer(f'type: "DetectionOutput" detection_output_param {{ {given} }}', offsets, scores, _PRIORS)
    return net.blobs["top"].data[0, 0]


def test_the_best_of_boxes_that_overlap_is_kept(layer):
    # class 0 is the background; the first two boxes overlap by 0.16 / 0.2 = 0.8
    found = _detected(layer, "num_classes: 2", [[0, 0.6, 0, 0.7, 0, 0.5]])
    np.testing.assert_allclose(found, [[0, 1, 0.7, 0, 0, 0.4, 0.5], [0, 1, 0.5, 0.5, 0.5, 1, 1]], rtol=1e-6)
    found = _detected(layer, "num_classes: 2 nms_param { nms_threshold: 0.81 }", [[0, 0.6, 0, 0.7, 0, 0.5]])
    np.testing.assert_allclose(found[:, 2], [0.7, 0.6, 0.5], rtol=1e-6)


def test_what_limits_the_number_of_detections(layer):
    scores = [[0.9, 0.6, 0.1, 0.7, 0.8, 0.5], [0.1, 0.2, 0.15, 0.1, 0.05, 0.1]]
    given = "num_classes: 2 background_label_id: -1 nms_param { nms_threshold: 0.9 %s } %s"
    everything = _detected(layer, given % ("", ""), scores)
    assert len(everything) == 12
    assert everything[:, :2].tolist() == sorted(everything[:, :2].tolist())  # by item and class
    best = _detected(layer, given % ("", "keep_top_k: 2"), scores)
    np.testing.assert_allclose(best[:, :3], [[0, 0, 0.9], [0, 0, 0.8], [1, 0, 0.15], [1, 1, 0.2]], rtol=1e-6)
    first = _detected(layer, given % ("top_k: 1", ""), scores)
    np.testing.assert_allclose(first[:, :3], [[0, 0, 0.9], [0, 1, 0.7], [1, 0, 0.15], [1, 1, 0.2]], rtol=1e-6)
    sure = _detected(layer, given % ("", "confidence_threshold: 0.7"), scores)
    np.testing.assert_allclose(sure[:, :3], [[0, 0, 0.9], [0, 0, 0.8]], rtol=1e-6)  # greater, not equal


def test_nothing_detected_is_a_row_for_each_item(layer):
    found = _detected(layer, "num_classes: 2 confidence_threshold: 1", [[0, 0.5, 0, 0.5, 0, 0.5]] * 2)
    np.testing.assert_array_equal(found, [[0, -1, -1, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1, -1]])


@pytest.mark.parametrize(
    ("code", "box"),
    [
        ("CORNER", [0.1, 0.2, 0.6, 0.8]),
        ("CORNER_SIZE", [0.04, 0.08, 0.48, 0.56]),
        # centre 0.2 + 0.1 * 0.4 = 0.24 and 0.28; size 0.4 * exp(0.2) and 0.4 * exp(0.4)
        ("CENTER_SIZE", [0.24 - 0.2442806, 0.28 - 0.298365, 0.24 + 0.2442806, 0.28 + 0.298365]),
    ],
)
def test_codes_of_boxes(layer, code, box):
    offsets = np.array([[1.0, 2, 1, 2] + [0] * 8])  # times variances 0.1, 0.1, 0.2, 0.2
    scores = [[0, 0.9, 0, 0, 0, 0]]
    found = _detected(layer, f"num_classes: 2 confidence_threshold: 0.1 code_type: {code}", scores, offsets)
    np.testing.assert_allclose(found[0, 3:], box, rtol=1e-5, atol=1e-6)
    offsets *= [[0.1, 0.1, 0.2, 0.2] * 3]
    encoded = f"num_classes: 2 confidence_threshold: 0.1 code_type: {code} variance_encoded_in_target: true"
    np.testing.assert_allclose(_detected(layer, encoded, scores, offsets)[0, 3:], box, rtol=1e-5, atol=1e-6)


def _by_definition(boxes: np.ndarray, scores: np.ndarray, threshold: float, eta: float) -> list[int]:
    """Greedy suppression, box by box."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        low = np.maximum(boxes[kept, :2], boxes[i, :2])
        common = np.clip(np.minimum(boxes[kept, 2:], boxes[i, 2:]) - low, 0, None).prod(1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        if not kept or (common / (areas[kept] + areas[i] - common)).max() <= threshold:
            kept.append(int(i))
            threshold *= eta if threshold > 0.5 else 1
    return kept


@pytest.mark.parametrize("eta", [1, 0.97])
def test_suppression_is_that_of_one_box_after_another(layer, eta):
    random = np.random.default_rng(3)
    low = random.uniform(0, 0.6, (700, 2))  # more than one block, in which many boxes overlap
    boxes = np.concatenate([low, low + random.uniform(0.1, 0.4, (700, 2))], 1).astype(np.float32)
    scores = random.permutation(700).astype(np.float32) / 700
    priors = np.stack([boxes.ravel(), np.full(2800, 0.1)])[None]
    given = f"num_classes: 1 background_label_id: -1 nms_param {{ nms_threshold: 0.7 eta: {eta} }}"
    text = f'type: "DetectionOutput" detection_output_param {{ {given} }}'
    found = layer(text, np.zeros((1, 2800)), scores[None], priors).blobs["top"].data[0, 0]
    kept = _by_definition(boxes, scores, 0.7, eta)
    assert 50 < len(kept) < 600
    np.testing.assert_array_equal(found[:, 3:], boxes[kept])


@pytest.mark.parametrize(
    ("given", "scores", "message"),
    [
        ("", [[0, 1]], "num_classes is 0 or not stated"),
        ("num_classes: 2 nms_param { eta: 0 }", [[0, 1]], "eta 0; wanted"),
        ("num_classes: 2", [[0, 1]], r"scores \(1, 2, 1, 1\) do not fit 3 priors and 2 classes: wanted \(1, 6\)"),
        ("num_classes: 2 share_location: false", [[0] * 6], r"offsets .* wanted \(1, 24\)"),
    ],
)
def test_wrong_detections(layer, given, scores, message):
    with pytest.raises(InputError, match=message):
        _detected(layer, given, scores)


def test_files_of_detections_are_not_written(layer, tmp_path):
    given = f'num_classes: 2 save_output_param {{ output_directory: "{tmp_path / "out"}" }}'
    with pytest.warns(UserWarning, match="no files are written"):
        _detected(layer, given, [[0, 0.6, 0, 0.7, 0, 0.5]])
    assert not (tmp_path / "out").exists()


# -- Proposal


def test_anchors_are_those_of_faster_r_cnn():
    # the nine of the program's own comment
    assert anchors(16, [0.5, 1, 2], [8, 16, 32]) == [
        [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
        [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
        [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
    ]  # fmt: skip


def _proposed(layer, given: str, scores: np.ndarray, deltas: np.ndarray, info: list[float]) -> list[np.ndarray]:
    given = f"base_size: 4 ratio: 1 scale: 1 feat_stride: 4 {given}"
    text = f'top: "top" top: "scores" type: "Proposal" proposal_param {{ {given} }}'
    net = layer(text, np.concatenate([1 - scores, scores], 1), deltas, np.array([info]))
    return [net.blobs[name].data for name in net.top_names["layer"]]


def test_regions_are_decoded_cut_and_in_the_order_of_scores(layer):
    deltas = np.zeros((1, 4, 1, 3))
    deltas[0, :, 0, 1] = [0.5, 0, np.log(2), 0]  # the box of 4 to 7: centre 6 -> 8, width 4 -> 8
    scores = np.array([0.2, 0.9, 0.3]).reshape(1, 1, 1, 3)
    regions, found = _proposed(layer, "min_size: 1", scores, deltas, [4, 11, 1])
    # the sides of decoded boxes are longer by 1 than those of anchors, as in the program
    np.testing.assert_allclose(regions, [[0, 4, 0, 10, 3], [0, 8, 0, 10, 3], [0, 0, 0, 4, 3]], atol=1e-5)
    np.testing.assert_allclose(found, [[0.9], [0.3], [0.2]], rtol=1e-6)


def test_what_limits_the_number_of_regions(layer):
    scores, deltas = values(1, 1, 2, 5, low=0, high=1), np.zeros((1, 4, 2, 5))
    everything, order = _proposed(layer, "min_size: 1", scores, deltas, [8, 20, 1])
    assert len(everything) == 10 and (np.diff(order[:, 0]) < 0).all()
    assert len(_proposed(layer, "min_size: 1 pre_nms_topn: 4", scores, deltas, [8, 20, 1])[0]) == 4
    assert len(_proposed(layer, "min_size: 1 post_nms_topn: 3", scores, deltas, [8, 20, 1])[0]) == 3
    assert len(_proposed(layer, "min_size: 3", scores, deltas, [8, 18, 1])[0]) == 8  # the last column is cut to 2
    assert len(_proposed(layer, "min_size: 3", scores, deltas, [8, 20, 2])[0]) == 0  # 6 pixels of the scaled image
    overlapping = _proposed(layer, "min_size: 1 nms_thresh: 0.1", scores, deltas, [8, 20, 1])[0]
    assert 0 < len(overlapping) < 10


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(1, 4, 2, 2), (1, 8, 2, 2), (1, 3)], "for 1 anchors at each position; wanted"),
        ([(1, 2, 2, 2), (1, 4, 2, 3), (1, 3)], "for 1 anchors at each position; wanted"),
        ([(1, 2, 2, 2), (1, 4, 2, 2), (1, 2)], r"im_info \(1, 2\), wanted \(1, 3\)"),
    ],
)
def test_wrong_proposals(layer, shapes, message):
    with pytest.raises(InputError, match=message):
        layer('type: "Proposal" proposal_param { ratio: 1 scale: 1 }', *map(np.zeros, shapes))


_PYTHON = """layer { name: "p" type: "Python" bottom: "s" bottom: "d" bottom: "i" top: "rois" python_param {
  module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "%s" } }"""
_INPUTS = "".join(
    f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: {shape} }} }} }}'
    for name, shape in (("s", [1, 18, 2, 3]), ("d", [1, 36, 2, 3]), ("i", [1, 3]))
)


def test_the_proposal_layer_of_faster_r_cnn_needs_no_program(net):
    built = net(_INPUTS + _PYTHON % "'feat_stride': 16")
    assert type(built.layer_dict["p"]).__name__ == "Proposal"
    built.blobs["i"].data[...] = [600, 800, 1]
    assert built.forward()["rois"].shape[1] == 5
    few = net(_INPUTS.replace("18", "4").replace("36", "8") + _PYTHON % "{feat_stride: 8, scales: [4, 8], ratios: [1]}")
    assert len(few.layer_dict["p"].anchors) == 2


def test_a_proposal_layer_with_other_parameters_is_not_taken_for_it(net):
    with pytest.raises(InputError, match="no module 'rpn.proposal_layer'"):
        net(_INPUTS + _PYTHON % "'feat_stride': 16, 'other': 3")


# -- regions


def test_roi_pooling_takes_maxima_of_bins(layer):
    text = 'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 }'
    # 2 to 7 is 1 to 3.5, rounded away from 0: 1 to 4, four columns; 0 to 4 is 0 to 2, three rows that overlap
    net = layer(text, _ramp(5, 6), np.array([[0.0, 2, 0, 7, 4]]), back=True)
    np.testing.assert_array_equal(net.blobs["top"].data[0, 0], [[8, 10], [14, 16]])
    net.blobs["top"].diff[...] = np.array([[1, 2], [3, 4]])
    net.backward()
    gradient = net.blobs["in0"].diff[0, 0]
    assert gradient.sum() == 10 and gradient.ravel()[[8, 10, 14, 16]].tolist() == [1, 2, 3, 4]


def test_roi_pooling_outside_of_the_map_is_0_and_ties_go_to_the_first(layer):
    text = 'type: "ROIPooling" roi_pooling_param { pooled_h: 1 pooled_w: 2 }'
    net = layer(text, np.full((1, 1, 3, 4), -2.0), np.array([[0.0, 2, 1, 5, 2]]), back=True)
    np.testing.assert_array_equal(net.blobs["top"].data[0, 0], [[-2, 0]])
    net.blobs["top"].diff[...] = 1
    net.backward()
    np.testing.assert_array_equal(np.argwhere(net.blobs["in0"].diff[0, 0]), [[1, 2]])


def test_psroi_pooling_averages_a_map_for_each_bin(layer):
    maps = np.stack([_ramp(4, 4)[0, 0] + 100 * i for i in range(4)])[None]
    text = 'type: "PSROIPooling" psroi_pooling_param { spatial_scale: 0.5 output_dim: 1 group_size: 2 }'
    # 0 to 7 is 0 to 4 positions: bins of 2 x 2
    net = layer(text, maps, np.array([[0.0, 0, 0, 7, 7]]), back=True)
    np.testing.assert_array_equal(net.blobs["top"].data[0, 0], [[2.5, 104.5], [210.5, 312.5]])
    net.blobs["top"].diff[...] = np.array([[4, 0], [0, 8]])
    net.backward()
    gradient = net.blobs["in0"].diff[0]
    np.testing.assert_array_equal(gradient[0, :2, :2], 1)
    np.testing.assert_array_equal(gradient[3, 2:, 2:], 2)
    assert gradient.sum() == 12


def test_roi_align_samples_between_positions(layer):
    text = 'type: "ROIAlign" roi_align_param { pooled_h: 1 pooled_w: 2 sampling_ratio: 1 }'
    # bins of 1.5 x 2 from (1, 0.5): samples at x 1.5 (0.5 + 1) … the middles (1.75, 1.5) and (3.25, 1.5)
    net = layer(text, _ramp(4, 5), np.array([[0.0, 1, 0.5, 4, 2.5]]))
    np.testing.assert_allclose(net.blobs["top"].data[0, 0], [[1.5 * 5 + 1.75, 1.5 * 5 + 3.25]])


@pytest.mark.parametrize("kind", ["ROIPooling", "ROIAlign", "PSROIPooling"])
def test_wrong_regions(layer, kind):
    field = {"ROIPooling": "roi_pooling_param", "ROIAlign": "roi_align_param", "PSROIPooling": "psroi_pooling_param"}[
        kind
    ]
    good = "spatial_scale: 1 output_dim: 1 group_size: 2" if kind == "PSROIPooling" else "pooled_h: 2 pooled_w: 2"
    text, x = f'type: "{kind}" {field} {{ {good} }}', np.zeros((1, 4, 3, 3))
    with pytest.raises(InputError, match=r"map \(1, 4, 3, 3\) and regions \(2, 4\); wanted"):
        layer(text, x, np.zeros((2, 4)))
    with pytest.raises(InputError, match="regions name items 0 to 1 of 1"):
        layer(text, x, np.array([[0.0, 0, 0, 1, 1], [1, 0, 0, 1, 1]]))
    assert layer(text, x, np.zeros((0, 5))).blobs["top"].shape[0] == 0


# -- values at other places


def test_permute(layer):
    net = layer('type: "Permute" permute_param { order: [0, 2, 3, 1] }', np.arange(6.0).reshape(1, 3, 1, 2))
    np.testing.assert_array_equal(net.blobs["top"].data, [[[[0, 2, 4], [1, 3, 5]]]])
    with pytest.raises(InputError, match=r"order is \[0, 0\], wanted different axes"):
        layer('type: "Permute" permute_param { order: [0, 0] }', np.zeros((1, 2)))


def test_shuffle_channel(layer):
    net = layer('type: "ShuffleChannel" shuffle_channel_param { group: 2 }', np.arange(6.0).reshape(1, 6, 1, 1))
    assert net.blobs["top"].data.ravel().tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(InputError, match="divide into 4 groups"):
        layer('type: "ShuffleChannel" shuffle_channel_param { group: 4 }', np.zeros((1, 6, 1, 1)))


def test_reorg_is_darknets(layer):
    x = np.arange(16.0).reshape(1, 4, 2, 2)
    net = layer('type: "Reorg" reorg_param { stride: 2 }', x)
    # the memory as one map of 4 x 4: each quarter of its 2 x 2 cells becomes four channels
    found = net.blobs["top"].data.ravel().tolist()
    assert found == [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]
    back = layer('type: "Reorg" reorg_param { stride: 2 reverse: true }', net.blobs["top"].data.reshape(1, 4, 2, 2))
    assert back.blobs["top"].data.ravel().tolist() == list(range(16))
    with pytest.raises(InputError, match="does not divide by stride 2"):
        layer('type: "Reorg" reorg_param { stride: 2 }', np.zeros((1, 2, 2, 2)))


def _corners(x, region, bins, scale, ratio):
    """Cascade R-CNN's samples, one by one."""
    item, *box = region
    low, high = np.array(box[:2]), np.array(box[2:])
    pad = (high - low + 1) * ratio
    begin, end = ((low - pad) * scale - 0.5)[::-1], ((high + pad) * scale - 0.5)[::-1]  # y, x
    found = np.zeros((x.shape[1], bins[0] + 1, bins[1] + 1))
    for place in np.ndindex(*found.shape[1:]):
        at = begin + np.array(place) * (end - begin) / bins
        if (end > begin).all() and (at >= -0.5).all() and (at <= np.array(x.shape[2:]) - 0.5).all():
            at = np.clip(at, 0, np.array(x.shape[2:]) - 1)
            (t, u), (y, z) = np.modf(at)[0], at.astype(int)
            rows, columns = [y, min(y + 1, x.shape[2] - 1)], [z, min(z + 1, x.shape[3] - 1)]
            square = x[int(item)][:, rows][:, :, columns]
            found[(slice(None), *place)] = np.array([1 - t, t]) @ square @ np.array([1 - u, u])
    return found


def test_roi_align_of_cascade_rcnn_samples_corners(layer):
    x = values(2, 3, 6, 7)
    regions = np.array([[0.0, 4, 4, 19, 23], [1, -9, 3, 40, 12], [1, 2, 2, 30, 30], [0, 8, 8, 3, 3], [1, 12, 5, 12, 5]])
    given = "pooled_h: 2 pooled_w: 3 spatial_scale: 0.25"
    net = layer(f'type: "ROIAlign" roi_pooling_param {{ {given} pad_ratio: 0.1 }}', x, regions)
    wanted = [_corners(x, region, (2, 3), 0.25, 0.1) for region in regions]
    assert net.blobs["top"].shape == (5, 3, 3, 4) and (net.blobs["top"].data[3] == 0).all()
    np.testing.assert_allclose(net.blobs["top"].data, wanted, atol=1e-5)
    with pytest.raises(InputError, match="wanted one of them"):
        layer(f'type: "ROIAlign" roi_pooling_param {{ {given} }} roi_align_param {{ {given} }}', x, regions)


def test_pad_ratio_makes_regions_of_a_pooling_longer(layer):
    x, regions = values(1, 2, 8, 8), np.array([[0.0, 8, 8, 15, 19]])
    pooled = "pooled_h: 2 pooled_w: 2 spatial_scale: 0.25"
    padded = layer(f'type: "ROIPooling" roi_pooling_param {{ {pooled} pad_ratio: 0.25 }}', x, regions)
    wider = layer(f'type: "ROIPooling" roi_pooling_param {{ {pooled} }}', x, np.array([[0.0, 6, 5, 17, 22]]))
    np.testing.assert_array_equal(padded.blobs["top"].data, wider.blobs["top"].data)


def test_refinedet_refines_priors_and_leaves_out_what_is_no_object(layer):
    priors = np.array([[[0.1, 0.1, 0.3, 0.3, 0.5, 0.5, 0.9, 0.9], [0.1, 0.1, 0.2, 0.2] * 2]])
    first, second = np.array([[0, 0, 0, 0, 1.0, 0, 0, 0]]), np.array([[0, 0, 0, 0, 0, 1.0, 0, np.log(2) / 0.2]])
    scores, objects = np.array([[0.2, 0.8, 0.4, 0.6]]), np.array([[0.995, 0.005, 0.5, 0.5]])
    given = "num_classes: 2 code_type: CENTER_SIZE confidence_threshold: 0.01"
    kind = f'type: "DetectionOutput" detection_output_param {{ {given} }}'
    net = layer(kind, second, scores, priors, objects, first)
    # the first prior is no object; the second moves to the right by 0.1 of its width 0.4, then down, and doubles
    np.testing.assert_allclose(net.blobs["top"].data[0, 0], [[0, 1, 0.6, 0.54, 0.34, 0.94, 1.14]], atol=1e-6)
    unrefined = layer(kind, second, scores, priors, objects)
    np.testing.assert_allclose(unrefined.blobs["top"].data[0, 0], [[0, 1, 0.6, 0.5, 0.34, 0.9, 1.14]], atol=1e-6)
    assert layer(kind, second, scores, priors).blobs["top"].shape == (1, 1, 2, 7)
    with pytest.raises(InputError, match="probabilities of an object .* do not fit 2 priors"):
        layer(kind, second, scores, priors, np.zeros((1, 3)))


def test_spatial_dropout_drops_whole_maps(net):
    text = 'layer { name: "i" type: "Input" top: "x" input_param { shape { dim: [8, 16, 3, 3] } } }' \
        'layer { name: "d" type: "SpatialDropout" bottom: "x" top: "y" spatial_dropout_param { dropout_ratio: 0.25 } }'
    caffe.set_random_seed(3)
    training, testing = net(text, caffe.TRAIN), net(text, caffe.TEST)
    for each in (training, testing):
        each.blobs["x"].data[...] = 3
        each.forward()
    maps = training.blobs["y"].data.reshape(128, 9)
    assert set(np.unique(maps)) == {0, 4} and (maps == maps[:, :1]).all()
    assert 0.6 < (maps[:, 0] > 0).mean() < 0.9
    assert (testing.blobs["y"].data == 3).all()


# -- arithmetic, activations, normalisation, convolution, loss


def test_axpy(layer):
    x, y = np.arange(4.0).reshape(1, 2, 1, 2), np.ones((1, 2, 1, 2))
    net = layer('type: "Axpy"', np.array([2.0, 3]).reshape(1, 2, 1, 1), x, y)
    assert net.blobs["top"].data.ravel().tolist() == [1, 3, 7, 10]
    with pytest.raises(InputError, match=r"wanted \(N, C\) or \(N, C, 1, 1\)"):
        layer('type: "Axpy"', np.zeros((1, 3)), x, y)


def test_relu6_and_mish(layer):
    net = layer('type: "ReLU6"', np.array([[-1.0, 0.5, 6, 7]]), back=True)
    assert net.blobs["top"].data.tolist() == [[0, 0.5, 6, 6]]
    net.blobs["top"].diff[...] = 1
    net.backward()
    assert net.blobs["in0"].diff.tolist() == [[0, 1, 0, 0]]
    mish = layer('type: "Mish"', np.array([[0.0, 1, -20]])).blobs["top"].data
    np.testing.assert_allclose(mish, [[0, 0.86509838826, -4.1223072e-08]], rtol=1e-5, atol=1e-12)


def test_normalize(layer):
    x = np.array([[3.0, 0], [4, 2]]).reshape(1, 2, 1, 2)
    net = layer('type: "Normalize" norm_param { across_spatial: false scale_filler { value: 20 } }', x)
    np.testing.assert_allclose(net.blobs["top"].data.reshape(2, 2), [[12, 0], [16, 20]], rtol=1e-6)
    assert net.params["layer"][0].shape == ()
    net = layer('type: "Normalize" norm_param { channel_shared: false eps: 7 }', x)
    np.testing.assert_allclose(net.blobs["top"].data.reshape(2, 2), [[0.5, 0], [2 / 3, 1 / 3]], rtol=1e-6)
    assert net.params["layer"][0].shape == (2,)


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution", "DepthwiseConv"])
def test_a_depthwise_convolution_is_one_of_as_many_groups(layer, kind):
    x = values(2, 4, 5, 5)
    stated = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } %s }"
    caffe.set_random_seed(2)
    found = layer(f'type: "{kind}" {stated % ""}', x)
    caffe.set_random_seed(2)
    wanted = layer(f'type: "Convolution" {stated % "group: 4"}', x)
    assert [b.shape for b in found.params["layer"]] == [(4, 1, 3, 3), (4,)]
    np.testing.assert_array_equal(found.blobs["top"].data, wanted.blobs["top"].data)
    with pytest.raises(InputError, match="num_output 4 and group 2 for 4 channels"):
        layer(f'type: "{kind}" {stated % "group: 2"}', x)


def test_smooth_l1(layer):
    a, b = np.array([[0.25, 3.0], [-2, 0]]), np.zeros((2, 2))
    net = layer('type: "SmoothL1Loss"', a, b, back=True)
    assert float(net.blobs["top"].data) == pytest.approx((0.03125 + 2.5 + 1.5) / 2)
    net.blobs["top"].diff[...] = 1
    net.backward()
    np.testing.assert_allclose(net.blobs["in0"].diff, [[0.125, 0.5], [-0.5, 0]])
    np.testing.assert_allclose(net.blobs["in1"].diff, -net.blobs["in0"].diff)
    inner, outer = np.array([[1.0, 0], [1, 1]]), np.full((2, 2), 10.0)
    weighted = layer('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 2 }', a, b, inner, outer)
    # at 0.25 the limit of 1 / 4 is met: 0.25 - 0.125; 3 counts nothing; 2 - 0.125
    assert float(weighted.blobs["top"].data) == pytest.approx(10 * (0.125 + 1.875) / 2)
    with pytest.raises(InputError, match="bottoms of different shapes"):
        layer('type: "SmoothL1Loss"', a, np.zeros((2, 3)))


# -- what is read, but not run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "".join(
                f'layer {{ name: "{x}" type: "Input" top: "{x}" input_param {{ shape {{ dim: 1 }} }} }}' for x in "abcd"
            )
            + 'layer { name: "l" type: "MultiBoxLoss" bottom: "a" bottom: "b" bottom: "c" bottom: "d" top: "l" }',
            "SSD's training .* is not supported",
        ),
    ],
)  # fmt: skip
def test_training_of_ssd_is_refused_by_name(net, text, message):
    with pytest.raises(InputError, match=message):
        net(text)
