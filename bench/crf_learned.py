"""A CRF that is trained with its net, beside the fixed one: mean IoU on val, from one trained experiment.

    deeplab all demo --exp exper/demo
    python bench/crf_learned.py exper/demo --iterations 200

The net goes on from the last weights, on the same crops, in two ways: with its own loss, and with CRF-RNN's
layer (MultiStageMeanfield) behind its enlarged scores, which begins as the experiment's CRF. Both are tested on whole
images of val: the first as it is and with that CRF, the second with what the layer has learned.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import timing
from deeplab_caffe import caffe
from deeplab_caffe.crf import CRFRNN, CRFParameters, crf_labels, unary_from_scores
from deeplab_caffe.data import full_path, read_dataset, read_image, read_label, read_list
from deeplab_caffe.evaluation import Scores, confusion_matrix
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.definition import read_definition
from deeplab_caffe.inference import load

Labels = NDArray[np.integer]
#: what is in the place of the loss on small labels; theta_beta is in the levels of the data blob
_CRF = """
layer {{ name: "up" type: "Interp" bottom: "{scores}" top: "up" interp_param {{ zoom_factor: 8 }} }}
layer {{
  name: "crf" type: "MultiStageMeanfield" bottom: "up" bottom: "up" bottom: "data" top: "refined"
  param {{ lr_mult: {crf_rate} decay_mult: 0 }} param {{ lr_mult: {crf_rate} decay_mult: 0 }}
  param {{ lr_mult: {crf_rate} decay_mult: 0 }}
  multi_stage_meanfield_param {{
    num_iterations: 5 theta_alpha: {p.sigma_alpha} theta_beta: {beta} theta_gamma: {p.sigma_gamma}
    spatial_filter_weight: {p.w2} bilateral_filter_weight: {p.w1}
  }}
}}
layer {{
  name: "loss" type: "SoftmaxWithLoss" bottom: "refined" bottom: "label" top: "loss" loss_param {{ ignore_label: 255 }}
}}
"""


def trained(experiment: Path, weights: Path, arguments: argparse.Namespace, crf: CRFParameters | None) -> caffe.Net:
    """The training net after more updates, with the CRF's layer or without."""
    net = read_definition(experiment / "prototxt" / "train.prototxt").param
    if crf is not None:
        behind = [layer for layer in net.layer if "label" not in layer.bottom and "label_shrink" not in layer.bottom]
        scale = next(layer.transform_param.scale for layer in net.layer if layer.HasField("transform_param"))
        text = _CRF.format(scores=behind[-1].top[0], p=crf, beta=crf.sigma_beta * scale, crf_rate=arguments.crf_rate)
        del net.layer[:]
        net.layer.extend(behind)
        net.layer.extend(messages.to_message(prototxt.Document(text), schema.NetParameter()).layer)
    param = schema.SolverParameter(net_param=net, base_lr=arguments.rate, lr_policy="poly", power=0.9, momentum=0.9)
    param.max_iter, param.weight_decay, param.snapshot_prefix = arguments.iterations, 5e-4, "bench"
    caffe.set_random_seed(1)
    solver = caffe.SGDSolver(param)
    solver.net.copy_from(weights)
    solver.net.keeps_diffs = False
    for done in range(0, arguments.iterations, 20):
        solver.step(min(20, arguments.iterations - done))
        print(f"{'with' if crf else 'without'} the CRF: {solver.iter} updates", flush=True)
    return solver.net


def mean_ious(experiment: Path, net: caffe.Net, ways: dict[str, Callable[[Any, Any], Labels]]) -> dict[str, float]:
    """Mean IoU in percent on val of what each way makes of the scores (C, H, W) and the image."""
    dataset = read_dataset(experiment / "dataset.toml")
    matrices = {way: np.zeros((dataset.num_classes,) * 2, np.int64) for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        net.save(Path(folder) / "net.caffemodel")
        predictor = load(experiment / "prototxt" / "deploy.prototxt", Path(folder) / "net.caffemodel")
    for entry in read_list(experiment / "list" / "val.txt"):
        image = read_image(full_path(dataset.root, entry.image))
        label = read_label(full_path(dataset.root, entry.label))
        scores = predictor.scores(image)
        for way, labels in ways.items():
            matrices[way] += confusion_matrix(label, labels(scores, image), dataset.num_classes, dataset.ignore_label)
    return {way: 100 * Scores.from_matrix(matrix).mean_iou for way, matrix in matrices.items()}


def learned(net: caffe.Net, begin: CRFParameters) -> CRFRNN:
    """The module with the weights of the net's layer."""
    spatial, bilateral, compatibility = (torch.from_numpy(np.array(b.data[0, 0])) for b in net.params["crf"])
    module = CRFRNN(len(spatial), begin)
    module.load_state_dict({"spatial": spatial, "bilateral": bilateral, "compatibility": compatibility})
    return module


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--rate", type=float, default=1e-3, help="of the net's update; poly")
    parser.add_argument("--crf-rate", type=float, default=100, help="the factor on it of the CRF's weights")
    parser.add_argument("--crf", type=Path, help="parameters.json; by default what the experiment's search found")
    arguments = parser.parse_args()
    experiment = arguments.experiment.resolve()
    weights = max((experiment / "model").glob("train_iter_*.caffemodel"), key=lambda path: path.stat().st_mtime)
    crf = CRFParameters.load(arguments.crf or experiment / "crf" / "parameters.json")
    alone = trained(experiment, weights, arguments, None)
    found = mean_ious(
        experiment,
        alone,
        {
            "the net": lambda scores, image: scores.argmax(0),
            "and the fixed CRF": lambda scores, image: crf_labels(image, unary_from_scores(scores), crf),
        },
    )
    joint = trained(experiment, weights, arguments, crf)
    module = learned(joint, crf).eval()

    def refined(scores: Any, image: Any) -> Labels:
        colours = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))
        with torch.no_grad():
            labels: Labels = module(torch.from_numpy(np.array(scores))[None], colours[None]).argmax(1)[0].numpy()
        return labels

    found |= mean_ious(
        experiment,
        joint,
        {
            "trained with the CRF: the net alone": lambda scores, image: scores.argmax(0),
            "trained with the CRF: both": refined,
        },
    )
    print(f"{arguments.iterations} updates at {arguments.rate}, {crf.to_json()}\n")
    print(timing.table(["", "mean IoU, %"], [[way, f"{value:.2f}"] for way, value in found.items()]))


if __name__ == "__main__":
    main()
