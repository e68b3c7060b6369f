"""A training net, a test net and a solver in which lint finds nothing; the tests plant mistakes in them."""

from __future__ import annotations

from pathlib import Path

TRAIN = """\
name: "small"

layer {
  name: "data"
  type: "ImageSegData"
  top: "data"
  top: "label"
  include { phase: TRAIN }
  transform_param {
    mirror: true
    crop_size: 33
    mean_value: 104
    mean_value: 117
    mean_value: 123
  }
  image_data_param {
    source: "train.txt"
    batch_size: 2
    shuffle: true
    label_type: PIXEL
  }
}

layer {
  name: "conv1"
  type: "Convolution"
  bottom: "data"
  top: "conv1"
  param { lr_mult: 1 decay_mult: 1 }
  param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer {
  name: "pool1"
  type: "Pooling"
  bottom: "conv1"
  top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 8 pad: 1 }
}

layer {
  name: "conv2"
  type: "Convolution"
  bottom: "pool1"
  top: "conv2"
  param { lr_mult: 1 decay_mult: 1 }
  param { lr_mult: 2 decay_mult: 0 }
  convolution_param {
    num_output: 8
    kernel_size: 3
    pad: 2
    dilation: 2
  }
}
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "drop2" type: "Dropout" bottom: "conv2" top: "conv2" dropout_param { dropout_ratio: 0.5 } }

layer {
  name: "fc8"
  type: "Convolution"
  bottom: "conv2"
  top: "fc8"
  param { lr_mult: 10 decay_mult: 1 }
  param { lr_mult: 20 decay_mult: 0 }
  convolution_param {
    num_output: 5
    kernel_size: 1
    weight_filler { type: "gaussian" std: 0.01 }
    bias_filler { type: "constant" value: 0 }
  }
}

layer { name: "label_shrink" type: "Interp" bottom: "label" top: "label_shrink" interp_param { shrink_factor: 8 } }
layer {
  name: "loss"
  type: "SoftmaxWithLoss"
  bottom: "fc8"
  bottom: "label_shrink"
  loss_param { ignore_label: 255 }
}
layer {
  name: "accuracy"
  type: "SegAccuracy"
  bottom: "fc8"
  bottom: "label_shrink"
  top: "accuracy"
  seg_accuracy_param { ignore_label: 255 }
}
"""
TEST = """\
name: "small"
layer {
  name: "data"
  type: "ImageSegData"
  top: "data"
  include { phase: TEST }
  transform_param { crop_size: 33 mean_value: 104 mean_value: 117 mean_value: 123 }
  image_data_param { source: "val.txt" batch_size: 1 label_type: NONE }
}
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 3 stride: 8 pad: 1 } }
layer {
  name: "conv2"
  type: "Convolution"
  bottom: "pool1"
  top: "conv2"
  convolution_param { num_output: 8 kernel_size: 3 pad: 2 dilation: 2 }
}
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "fc8" type: "Convolution" bottom: "conv2" top: "fc8" convolution_param { num_output: 5 kernel_size: 1 } }
layer { name: "fc8_interp" type: "Interp" bottom: "fc8" top: "fc8_interp" interp_param { zoom_factor: 8 } }
"""  # noqa: E501
SOLVER = """\
train_net: "{folder}/train.prototxt"
base_lr: 0.001
lr_policy: "step"
gamma: 0.1
stepsize: 2000
max_iter: 6000
momentum: 0.9
weight_decay: 0.0005
display: 10
snapshot: 2000
snapshot_prefix: "{folder}/model/train"
solver_mode: GPU
"""
FILES = {"train": TRAIN, "test": TEST, "solver": SOLVER}


def write(folder: Path, file: str = "", old: str = "", new: str = "", count: int = 1) -> Path:
    """Write the three files, one of them with `new` in the place of `old`; returns the solver's path."""
    for name, text in FILES.items():
        text = text.replace("{folder}", str(folder))
        if name == file:
            assert text.count(old) >= 1, f"{old!r} is not in {name}"
            text = text.replace(old, new.replace("{folder}", str(folder)), count)
        (folder / f"{name}.prototxt").write_text(text)
    return folder / "solver.prototxt"
