"""Cases of common layers on maps (N, C, H, W), which show what becomes of positions."""

from __future__ import annotations

import numpy as np

from cases import simple, values

_MAP, _OTHER = values(2, 2, 4, 3), values(2, 2, 4, 3, seed=1)
_LABELS = np.array([0.0, 1, 2, 2, 1, 0, 2, 1]).reshape(2, 1, 2, 2)

CASES = [
    simple("relu_map", "ReLU", "", _MAP),
    simple("dropout_test", "Dropout", "", _MAP),
    simple("spatial_dropout_test", "SpatialDropout", "", _MAP),
    simple("batch_norm_map", "BatchNorm", "", _MAP, params=False),
    simple("scale_map", "Scale", 'scale_param { filler { type: "uniform" } }', _MAP),
    simple("eltwise_map", "Eltwise", "", _MAP, _OTHER),
    simple("concat_map", "Concat", "", _MAP, _OTHER),
    simple("filter_map", "Filter", "", _MAP, np.array([0.0, 1]), checked=1),
    simple(
        "adaptive_bias_channel_all",
        "AdaptiveBiasChannel",
        "adaptive_bias_channel_param { fg_portion: 1 suppress_others: false }",
        _MAP,
        np.array([0.0, 1, 0, 1]).reshape(2, 2, 1, 1),
        checked=0,
    ),
    simple("split_map", "Split", "", _MAP, tops=2),
    simple("softmax_map", "Softmax", "", _MAP),
    simple("softmax_loss_map", "SoftmaxWithLoss", "", values(2, 3, 2, 2, low=-3, high=3), _LABELS, checked=1),
    simple("softmax_loss_probabilities", "SoftmaxWithLoss", "", values(2, 3, 2, 2), _LABELS, tops=2, checked=1),
]
