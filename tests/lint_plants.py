"""Mistakes to plant in the nets and the solver of `lint_nets`, by the rule that is to find them."""

from __future__ import annotations

import re
from typing import NamedTuple

import lint_nets
from small_nets import layer, net


class Plant(NamedTuple):
    """A mistake: in which file, what is replaced by what; where the finding is to be (the text there begins so)."""

    file: str
    old: str
    new: str
    at: str
    says: str = ""
    count: int = 1


_CONV2 = (
    '  bottom: "pool1"\n  top: "conv2"\n  param { lr_mult: 1 decay_mult: 1 }\n  param { lr_mult: 2 decay_mult: 0 }\n'
)
_ONE = '  bottom: "pool1"\n  top: "conv2"\n  param { lr_mult: 1 decay_mult: 1 }\n'
_FILLER = '    weight_filler { type: "gaussian" std: 0.01 }\n'
_RELU1 = 'layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }\n'
_RELU2 = 'layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }\n'
_DROP2 = 'layer { name: "drop2"'
_BN = 'layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" %s }\n'
_SCALE = 'layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }\n'
_LOSS_ENDS = '  bottom: "fc8"\n  bottom: "label_shrink"\n  loss_param'
_LOSS = "  loss_param { ignore_label: 255 }\n"
_SHARED = 'param { name: "w" lr_mult: 1 decay_mult: 1 }'
_PARAM = "param { lr_mult: 1 decay_mult: 1 }"
_ESTEP = (
    'layer { name: "estep" type: "ArgMax" bottom: "fc8" top: "estep" argmax_param { axis: 1 } }\n'
    'layer { name: "loss2" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "estep" loss_param { ignore_label: 255 } }\n'
)
_END = 'layer {\n  name: "accuracy"'

_ONE_BY_ONE = "convolution_param { num_output: 4 kernel_size: 1 bias_term: false }"
_TWINS = net(
    layer("Convolution", "p", "data", 'param { name: "w" lr_mult: 1 } ' + _ONE_BY_ONE),
    layer("Convolution", "q", "data", 'param { name: "w" lr_mult: 3 } ' + _ONE_BY_ONE),
    layer("Silence", "s", "p q", tops=""),
)
_BIG = "convolution_param { num_output: 5 kernel_size: 4 stride: 2 bias_term: false }"
_UP = net(
    layer("Deconvolution", "up", "fc8", "param { lr_mult: 0 } " + _BIG),
    layer("Silence", "s", "up", tops=""),
)
_CONCAT = net(
    layer("Concat", "both", "fc8 fc8", "concat_param { concat_dim: 1 }"), layer("Silence", "s", "both", tops="")
)
_WIDE = net(
    layer("Convolution", "wide", "data", f"{_PARAM} convolution_param {{ num_output: 4 kernel_size: 3 pad: 9 }}"),
    layer("Crop", "cut", "wide data"),
    layer("Silence", "s", "cut", tops=""),
)
_FOUR = 'convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } }'
_FC9 = net(
    layer("Convolution", "fc9", "conv2", "param { lr_mult: 10 } param { lr_mult: 20 } " + _FOUR),
    layer("SoftmaxWithLoss", "loss9", "fc9 label_shrink", _LOSS, tops=""),
)
_FROZEN = re.sub(r"lr_mult: \d+", "lr_mult: 0", lint_nets.TRAIN)

PLANTED: dict[str, list[Plant]] = {
    # the text
    "syntax": [Plant("train", "pad: 2\n", "pad 2\n", "2\n", "after 'pad', got '2'")],
    "unknown-field": [
        Plant("train", "pad: 2\n", "padd: 2\n", "padd: 2", "did you mean 'pad'?"),
        Plant("train", "loss_param", "softmaxloss_param", "softmaxloss_param", "it is now called 'loss_param'"),
        Plant("solver", "stepsize", "step_size", "step_size", "did you mean 'stepsize'?"),
    ],
    "foreign-field": [
        Plant("train", "pool: MAX", "pool: MAX ceil_mode: false", "ceil_mode", "write `round_mode: FLOOR`"),
        Plant("solver", "solver_mode", 'larc_policy: "clip"\nsolver_mode', "larc_policy", "the Caffe of NVIDIA"),
    ],
    "wrong-value": [
        Plant("train", "pool: MAX", "pool: MAXX", "MAXX", "did you mean 'MAX'?"),
        Plant("train", "pad: 2\n", "pad: two\n", "two", "expected a number"),
    ],
    "repeated-field": [
        Plant("train", '  name: "conv2"\n', '  name: "conv2"\n  name: "c"\n', 'name: "c"', "given twice")
    ],
    "conflict-mark": [
        Plant(
            "train",
            '  name: "conv2"\n',
            '  # CONFLICT conv2 lr_mult: yours is 1, the generator\'s is now 2 (was 3)\n  name: "conv2"\n',
            "# CONFLICT conv2",
            "yours is 1",
        )
    ],
    "missing-field": [
        Plant(
            "train",
            _END,
            'layer { name: "clip" type: "Clip" bottom: "fc8" top: "clip" clip_param { min: 0 } }\n' + _END,
            "name",
            "clip_param.max",
        )
    ],
    "template-variable": [
        Plant("train", "num_output: 5", "num_output: ${NUM_LABELS}", "${NUM", "${NUM_LABELS} has no value")
    ],
    "old-dialect": [
        Plant(
            "test", lint_nets.TEST, "layers { name: 'r' type: RELU bottom: 'x' top: 'y' }", "layers", "old dialect, V1"
        ),
        Plant("test", lint_nets.TEST, "input: 'x' input_dim: [1, 1, 3, 3]", "input", "inputs are stated outside"),
    ],
    "no-counterpart": [
        Plant("test", lint_nets.TEST, "layers { name: 'g' type: GAIN_CHANNEL }", "type", "no counterpart")
    ],
    "first-release-field": [
        Plant("train", "dilation: 2", "hole: 2", "hole: 2", "belongs to the 'layers' of DeepLab's first release"),
        Plant("train", "shuffle: true", "shuffle: true has_label: true", "has_label", "belongs to"),
    ],
    "deprecated-field": [
        Plant("train", _END, _CONCAT + _END, "concat_dim: 1", "write 'axis: 1'"),
        Plant("solver", "solver_mode", "solver_type: NESTEROV\nsolver_mode", "solver_type", "is deprecated"),
    ],
    # names and connections
    "no-layers": [
        Plant("test", lint_nets.TEST, "# to be written\n", "# to be", "has no layers"),
        Plant("test", lint_nets.TEST, 'name: "small"\n', "name", "has no layers"),
    ],
    "unnamed-layer": [Plant("train", '  name: "conv2"\n', "", "layer {", "has no name")],
    "repeated-name": [
        Plant("train", 'name: "conv2"', 'name: "conv1"', 'name: "conv1"', "another layer has this name, on line 25")
    ],
    "dangling-bottom": [
        Plant("train", 'bottom: "pool1"', 'bottom: "pol1"', 'bottom: "pol1"', "did you mean 'pool1'?"),
        Plant(
            "train",
            'bottom: "pool1"',
            'bottom: "fc8"',
            'bottom: "fc8"',
            "made only later, by fc8 (Convolution) on line",
        ),
    ],
    "repeated-top": [
        Plant("train", 'top: "conv2"\n', 'top: "conv1"\n', 'top: "conv1"', "is already made by conv1 (Convolution)")
    ],
    "unused-blob": [
        Plant("train", 'top: "conv2"\n', 'top: "conv2"\n  top: "more"\n', 'top: "more"', "is read by no layer"),
        Plant("test", 'top: "data"\n', 'top: "data"\n  top: "label"\n', 'top: "label"', "let a Silence layer read it"),
    ],
    "in-place-shared": [
        Plant(
            "train",
            _RELU1,
            'layer { name: "side" type: "Pooling" bottom: "conv1" top: "side" }\n'
            'layer { name: "silence" type: "Silence" bottom: "side" }\n' + _RELU1,
            'top: "conv1" }',
            "works in place on 'conv1', which side (Pooling) reads as well",
        )
    ],
    "in-place-type": [
        Plant("train", 'top: "pool1"\n', 'top: "conv1"\n', 'top: "conv1"', "Pooling cannot work in place")
    ],
    "in-place-gradient": [
        Plant(
            "train",
            'type: "ReLU" bottom: "conv2"',
            'type: "Sigmoid" bottom: "conv2"',
            'top: "conv2" dropout',
            "from which Caffe computes",
        )
    ],
    "include-and-exclude": [
        Plant(
            "train",
            "include { phase: TRAIN }",
            "include { phase: TRAIN } exclude { stage: 'x' }",
            "exclude",
            "both include",
        )
    ],
    "never-included": [
        Plant("test", 'type: "Interp"', 'type: "Interp" include { phase: TRAIN }', "include", "no state")
    ],
    "propagate-down-count": [
        Plant(
            "train",
            _LOSS,
            _LOSS + "  propagate_down: true\n",
            "propagate_down",
            "has 1 propagate_down for 2 bottoms",
        )
    ],
    # nonlinearities
    "relu-after-wrong-blob": [
        Plant("train", _RELU2, _RELU2.replace('"conv2"', '"conv1"'), 'bottom: "conv1"', "'conv2' has none"),
        Plant(
            "train",
            _RELU2,
            'layer { name: "relu2" type: "ReLU" bottom: "pool1" top: "pool1" }\n',
            'bottom: "pool1"',
            "its name matches 'conv2'",
        ),
    ],
    "activation-on-scores": [
        Plant(
            "train",
            'layer { name: "label_shrink"',
            'layer { name: "relu8" type: "ReLU" bottom: "fc8" top: "fc8" }\nlayer { name: "label_shrink"',
            'layer { name: "relu8"',
            "an activation on the scores 'fc8'",
        )
    ],
    "softmax-before-loss": [
        Plant(
            "train",
            'layer {\n  name: "loss"\n  type: "SoftmaxWithLoss"\n  bottom: "fc8"',
            'layer { name: "prob" type: "Softmax" bottom: "fc8" top: "prob" }\n'
            'layer {\n  name: "loss"\n  type: "SoftmaxWithLoss"\n  bottom: "prob"',
            'layer { name: "prob"',
            "loss (SoftmaxWithLoss) applies the softmax itself",
        )
    ],
    "missing-activation": [Plant("train", _RELU2, "", 'bottom: "conv2"', "without an activation between them")],
    # what is learned
    "missing-filler": [Plant("train", _FILLER, "", "convolution_param {\n    num_output: 5", "has no weight_filler")],
    "constant-filler": [
        Plant(
            "train",
            "pad: 1 }",
            'pad: 1 weight_filler { type: "constant" value: 0.1 } }',
            "weight_filler",
            "start at the same value",
        )
    ],
    "deconvolution-filler": [
        Plant(
            "train",
            _END,
            _UP + _END,
            "convolution_param { num_output: 5 kernel_size: 4",
            "unless they are loaded, its output is 0",
        )
    ],
    "bias-multiplier": [Plant("train", _CONV2, _ONE, "param { lr_mult: 1", "has no lr_mult for its bias")],
    "weight-multiplier": [
        Plant(
            "train",
            _CONV2,
            '  bottom: "pool1"\n  top: "conv2"\n',
            'layer {\n  name: "conv2"',
            "has no lr_mult, so weights",
        )
    ],
    "batch-norm-multiplier": [
        Plant(
            "train",
            _RELU1,
            _BN % "param { lr_mult: 1 } param { lr_mult: 0 } param { lr_mult: 0 }" + _SCALE + _RELU1,
            "lr_mult: 1 } param { lr_mult: 0 }",
            "lr_mult 1 for statistics",
        )
    ],
    "batch-norm-without-scale": [Plant("train", _RELU1, _BN % "" + _RELU1, 'layer { name: "bn1"', "no Scale follows")],
    "bias-before-batch-norm": [
        Plant(
            "train",
            _RELU1,
            _BN % "" + _SCALE + _RELU1,
            "convolution_param { num_output: 8 kernel_size: 3 pad: 1 }",
            "subtracts its bias again",
        )
    ],
    "nothing-learns": [Plant("train", lint_nets.TRAIN, _FROZEN, "param", "no layer of this training net learns")],
    "multiplier-range": [
        Plant("train", "lr_mult: 10", "lr_mult: -10", "lr_mult: -10", "lr_mult is -10, expected at least 0"),
        Plant(
            "train", "dropout_ratio: 0.5", "dropout_ratio: 1.5", "dropout_ratio", "expected at least 0 and less than 1"
        ),
    ],
    # sizes
    "does-not-fit": [
        Plant(
            "train", "num_output: 5", "num_output: 5 group: 3", 'layer {\n  name: "fc8"', "do not divide into 3 groups"
        )
    ],
    "unknown-type": [Plant("train", 'type: "Pooling"', 'type: "Poling"', 'type: "Poling"', "did you mean 'Pooling'?")],
    "shared-shape": [
        Plant("train", _PARAM, _SHARED, 'layer {\n  name: "conv2"', "which it shares it with, has (8, 3, 3, 3)", 2)
    ],
    "shared-multiplier": [
        Plant(
            "train",
            "pad: 1 }\n}\n" + _RELU1,
            "pad: 1 }\n}\n" + _TWINS + _RELU1,
            'layer { name: "q"',
            "states lr_mult 3, layer 'p' states 1",
        )
    ],
    "param-count": [
        Plant(
            "train",
            "param { lr_mult: 20 decay_mult: 0 }",
            "param { lr_mult: 20 decay_mult: 0 } param { }",
            'layer {\n  name: "fc8"',
            "states 3 param blocks, the layer has 2",
        )
    ],
    "label-size": [Plant("train", "shrink_factor: 8", "shrink_factor: 4", 'layer {\n  name: "loss"', "162 labels")],
    "filler": [Plant("train", '"gaussian"', '"gausian"', 'layer {\n  name: "fc8"', "unknown filler type 'gausian'")],
    "dilation-pad": [Plant("train", "pad: 2\n", "pad: 1\n", "pad: 1\n", "keeps the size with pad 2, not 1")],
    "crop-offset": [Plant("train", _END, _WIDE + _END, 'layer { name: "cut"', "'data' lies at 8")],
    "crop-size": [Plant("train", "crop_size: 33", "crop_size: 35", "crop_size: 35", "is 35 pixels, not 8k + 1")],
    "output-size": [
        Plant("test", "zoom_factor: 8", "zoom_factor: 4", "interp_param", "is 17×17, but the image is 33×33")
    ],
    # labels
    "ignore-label": [
        Plant("train", _LOSS, "", 'layer {\n  name: "loss"', "pads labels with 255"),
        Plant(
            "train",
            "  seg_accuracy_param { ignore_label: 255 }\n",
            "",
            'layer {\n  name: "accuracy"',
            "has no ignore_label",
        ),
    ],
    "ignore-label-differs": [
        Plant("train", _LOSS, "  loss_param { ignore_label: 250 }\n", "ignore_label: 250", "ignores label 250")
    ],
    "ignore-label-is-class": [
        Plant("train", _LOSS, "  loss_param { ignore_label: 0 }\n", "ignore_label: 0", "one of the 5 classes")
    ],
    "one-class": [Plant("train", "num_output: 5", "num_output: 1", 'bottom: "fc8"', "the loss always 0")],
    "class-count": [
        Plant(
            "train",
            _END,
            _FC9 + _END,
            'bottom: "fc9" bottom: "label_shrink"',
            "has scores of 4 classes, loss (SoftmaxWithLoss) of 5",
        )
    ],
    "label-type": [Plant("train", "label_type: PIXEL", "label_type: IMAGE", "label_type", "label_type is IMAGE")],
    "label-gradient": [Plant("train", _END, _ESTEP + _END, 'bottom: "estep"', "labels have no gradient")],
    # data
    "data-source": [
        Plant("train", '    source: "train.txt"\n', "", "image_data_param", "has no source"),
        Plant("train", "batch_size: 2", "batch_size: 0", "batch_size: 0", "batch_size is 0"),
    ],
    "moved-field": [
        Plant("train", "shuffle: true", "shuffle: true mirror: true", "mirror: true\n    label", "is a field of 2013")
    ],
    "mean-values": [
        Plant("train", "    mean_value: 123\n", "", "mean_value: 104", "has 2 mean_value for 3 channels"),
        Plant("train", "    mean_value: 123\n", "    mean_value: 123\n    mean_file: 'm'\n", "mean_file", "has both"),
    ],
    "shuffle": [Plant("train", "    shuffle: true\n", "", "image_data_param", "in the same order")],
    "test-augmentation": [Plant("test", "crop_size: 33", "crop_size: 33 mirror: true", "mirror: true", "results vary")],
    "crop-missing": [Plant("train", "    crop_size: 33\n", "", "transform_param", "needs images of one size")],
    "aborts-in-caffe": [
        Plant(
            "train",
            "    mirror: true\n    crop_size: 33\n",
            "    crop_height: 33\n    crop_width: 33\n",
            "crop_height: 33",
            "aborts at the first random crop",
        ),
        Plant("test", "crop_size: 33", "crop_size: 33 scale_factors: 0.5", "scale_factors", "the first scale_factors"),
        Plant(
            "train",
            "    mean_value: 104\n    mean_value: 117\n    mean_value: 123\n",
            "",
            "transform_param",
            "has no value to pad an image with",
        ),
    ],
    "missing-file": [Plant("train", "x", "x", 'source: "train.txt"', "'train.txt' does not exist")],
    # solvers
    "solver-net": [
        Plant("solver", "train_net", "net: 'a'\ntrain_net", 'train_net: "', "has net, train_net; expected exactly one"),
        Plant("solver", "train.prototxt", "trian.prototxt", 'train_net: "', "Could not open file"),
    ],
    "solver-type": [Plant("solver", "solver_mode", 'type: "Adm"\nsolver_mode', "type", "unknown solver type 'Adm'")],
    "lr-policy": [
        Plant("solver", '"step"', '"stp"', "lr_policy", "unknown lr_policy 'stp'"),
        Plant("solver", "stepsize: 2000\n", "", "lr_policy", "lr_policy 'step' needs stepsize"),
    ],
    "unused-solver-field": [Plant("solver", '"step"', '"poly"\npower: 0.9', "gamma", "does not use gamma")],
    "schedule": [
        Plant("solver", "stepsize: 2000", "stepsize: 6000", "stepsize", "the rate never falls"),
        Plant(
            "solver",
            'lr_policy: "step"\ngamma: 0.1\nstepsize: 2000',
            'lr_policy: "multistep"\ngamma: 0.1\nstepvalue: [5, 4]',
            "4]",
            "are not increasing",
        ),
    ],
    "solver-value": [
        Plant(
            "solver", "momentum: 0.9", "momentum: 9", "momentum", "momentum is 9, expected at least 0 and less than 1"
        ),
        Plant("solver", "base_lr: 0.001\n", "", "train_net", "base_lr is missing"),
        Plant("solver", '"step"\ngamma: 0.1\nstepsize: 2000\nmax_iter: 6000', '"poly"\npower: 1', "train_net", "max_i"),
    ],
    "max-iter": [Plant("solver", "max_iter: 6000\n", "", "train_net", "`caffe train` ends at once")],
    "test-settings": [
        Plant("solver", "max_iter", "test_iter: 10\nmax_iter", "test_iter", "1 test_iter for 0 test nets"),
        Plant("solver", "max_iter", "test_interval: 10\nmax_iter", "test_interval", "nothing is tested"),
    ],
    "snapshot": [
        Plant("solver", "model/train", "train.prototxt/train", "snapshot_prefix", "is a file, so no snapshot"),
        Plant(
            "solver",
            "snapshot: 2000",
            "snapshot_after_train: false",
            "snapshot_after_train",
            "no snapshot is ever taken",
        ),
    ],
    "missing-weights": [
        Plant("solver", "max_iter", 'weights: "none.caffemodel"\nmax_iter', "weights", "does not exist")
    ],
    "no-loss": [
        Plant(
            "train",
            'layer {\n  name: "loss"',
            'layer {\n  include { phase: TEST }\n  name: "loss"',
            'layer {\n  name: "accuracy"',
            "has no loss",
        )
    ],
    "unshared-name": [Plant("test", 'name: "conv2"\n', 'name: "conv_2"\n', 'name: "conv_2"', "did you mean 'conv2'?")],
    "unshared-shape": [
        Plant(
            "test",
            "kernel_size: 3 pad: 2 dilation: 2",
            "kernel_size: 5 pad: 4 dilation: 2",
            'name: "conv2"',
            "is (8, 8, 5, 5), but (8, 8, 3, 3)",
        )
    ],
    # nets of one model
    "different-nets": [
        Plant(
            "test",
            "pad: 2 dilation: 2",
            "pad: 4 dilation: 4",
            "dilation: 4",
            "dilation is 4, but 2 in",
        ),
        Plant(
            "test", 'pool1" pooling_param {', 'pool1" pooling_param { pool: AVE', "pool: AVE", "pool is AVE, but MAX"
        ),
        Plant("test", _RELU1, "", 'bottom: "conv1"', "reads conv1, but conv1 through ReLU in"),
        Plant(
            "test",
            "mean_value: 117 mean_value: 123",
            "mean_value: 117 mean_value: 100",
            "mean_value: 100",
            "mean_value is",
        ),
        Plant(
            "test",
            "crop_size: 33 mean",
            "scale: 0.017 crop_size: 33 mean",
            "scale: 0.017",
            "scale is 0.017, but 1 (default)",
        ),
        Plant(
            "test",
            '"conv1" }',
            '"conv1" relu_param { negative_slope: 0.1 } }',
            "negative_slope",
            "negative_slope is 0.1",
        ),
        Plant(
            "test",
            'type: "ReLU" bottom: "conv1"',
            'type: "TanH" bottom: "conv1"',
            'type: "TanH"',
            'type is "TanH", but',
        ),
    ],
}
