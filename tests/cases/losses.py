"""Cases of the losses."""

from __future__ import annotations

import numpy as np

from cases import simple, values

_LABELS = np.array([0.0, 2, 1])
_SCORES = values(3, 3, low=-3, high=3)
_PIXELS = values(2, 3, 2, 2, low=-3, high=3)
_PIXEL_LABELS = np.array([[[0.0, 1], [2, 9]], [[1, 1], [9, 0]]])
_MATRIX = values(1, 1, 3, 3, low=0, high=2)

CASES = [
    simple("hinge", "HingeLoss", "", _SCORES, _LABELS, checked=1),
    simple("hinge_l2", "HingeLoss", "hinge_loss_param { norm: L2 }", _SCORES, _LABELS, checked=1),
    simple("multinomial", "MultinomialLogisticLoss", "", values(3, 3, low=0.1), _LABELS, checked=1),
    simple("sigmoid_loss", "SigmoidCrossEntropyLoss", "", _SCORES, values(3, 3, low=0), checked=1),
    simple(
        "sigmoid_loss_ignore",
        "SigmoidCrossEntropyLoss",
        "loss_param { ignore_label: 9 normalize: true }",
        values(2, 2, 2, low=-3, high=3),
        _PIXEL_LABELS,
        checked=1,
    ),
    simple("infogain", "InfogainLoss", "", _SCORES, _LABELS, _MATRIX, checked=1),
    simple(
        "infogain_map",
        "InfogainLoss",
        "loss_weight: [1, 0] loss_param { ignore_label: 9 normalization: FULL }",
        _PIXELS,
        _PIXEL_LABELS,
        _MATRIX,
        tops=2,
        checked=1,
    ),
    simple(
        "infogain_ignore", "InfogainLoss", "loss_param { ignore_label: 9 }", _PIXELS, _PIXEL_LABELS, _MATRIX, checked=1
    ),
    simple("contrastive", "ContrastiveLoss", "", 0.5 * _SCORES, values(3, 3, seed=1), np.array([1.0, 0, 0]), checked=2),
    simple(
        "contrastive_legacy",
        "ContrastiveLoss",
        "contrastive_loss_param { margin: 4 legacy_version: true }",
        values(3, 2),
        values(3, 2, seed=1),
        np.array([0.0, 1, 0]),
        checked=2,
    ),
]
