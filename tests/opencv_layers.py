"""Layers of other Caffes on their own, for OpenCV 4's importer: what both compute is compared.

python tests/opencv_layers.py      writes what the installed OpenCV (4; OpenCV 5 has no importer) computes
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

from cases import Case, collect, simple

RECORDED = Path(__file__).parent / "data" / "opencv_importer" / "layers.npz"

_KNOWN = (
    "roi_pooling", "roi_pooling_wide", "psroi_pooling", "proposal", "prior_box", "permute", "shuffle_channel", "reorg",
    "relu6", "mish", "normalize_channels", "normalize_items", "convolution_depthwise",
)  # fmt: skip


def _detections(code: str) -> Case:
    """200 prior boxes, many of which overlap, and scores of four classes."""
    random = np.random.default_rng(0)
    low = random.uniform(0, 0.6, (200, 2))
    priors = np.concatenate([low, low + random.uniform(0.1, 0.4, (200, 2))], 1).ravel()
    variances = np.tile([0.1, 0.1, 0.2, 0.2], 200)
    scores = random.dirichlet([1, 1, 1, 1], (1, 200)).reshape(1, -1)
    given = f"""num_classes: 4 share_location: true background_label_id: 0 code_type: {code} keep_top_k: 60
      confidence_threshold: 0.1 nms_param {{ nms_threshold: 0.45 top_k: 80 }}"""
    return simple(
        f"detections_{code}", "DetectionOutput", f"detection_output_param {{ {given} }}",
        random.normal(0, 0.5, (1, 800)), scores, np.stack([priors, variances])[None],
    )  # fmt: skip


def _proposals() -> Case:
    random = np.random.default_rng(0)
    arrays = random.uniform(0, 1, (1, 18, 6, 8)), random.normal(0, 0.2, (1, 36, 6, 8)), np.array([[96.0, 128, 1]])
    given = "feat_stride: 16 base_size: 16 min_size: 1 pre_nms_topn: 300 post_nms_topn: 40 nms_thresh: 0.6"
    given += " ratio: [0.5, 1, 2] scale: [8, 16, 32]"
    return simple("proposals", "Proposal", f"proposal_param {{ {given} }}", *arrays)


def compared() -> list[Case]:
    """The cases that OpenCV knows."""
    more = [_detections("CORNER"), _detections("CENTER_SIZE"), _proposals()]
    return [case for case in collect() if case.name in _KNOWN] + more


def by_opencv(case: Case, weights: str) -> np.ndarray:
    """The first top of a case's layer, by OpenCV, with the weights of a .caffemodel."""
    inputs = ""
    for name, array in case.bottoms.items():
        shape = f"input_param {{ shape {{ dim: {list(array.shape)} }} }}"
        inputs += f'layer {{ name: "in_{name}" type: "Input" top: "{name}" {shape} }}\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(inputs + case.text)
        net = cv2.dnn.readNetFromCaffe(str(path), weights)
    for name, array in case.bottoms.items():
        net.setInput(array.astype(np.float32), name)
    return np.array(net.forward("layer"))


if __name__ == "__main__":
    from layer_runs import build

    with tempfile.NamedTemporaryFile(suffix=".caffemodel") as file:
        answers = {}
        for one in compared():
            build(one).save(file.name)
            answers[one.name] = by_opencv(one, file.name)
    np.savez_compressed(RECORDED, **answers)
