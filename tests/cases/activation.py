"""Cases of the element-wise functions."""

from __future__ import annotations

from cases import simple, values

_X = values(2, 3, 4, 2, low=-2, high=2)
_POSITIVE = values(2, 3, 4, 2, low=0.2, high=2)

CASES = [
    simple("absval", "AbsVal", "", _X),
    simple("bnll", "BNLL", "", 20 * _X),
    simple("clip", "Clip", "clip_param { min: -0.5 max: 1 }", _X),
    simple("elu", "ELU", "elu_param { alpha: 0.5 }", _X),
    simple("exp", "Exp", "", _X),
    simple("exp_base", "Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", _X),
    simple("log", "Log", "", _POSITIVE),
    simple("log_base", "Log", "log_param { base: 10 scale: 0.5 shift: 3 }", _X),
    simple("power", "Power", "", _X),
    simple("power_square", "Power", "power_param { power: 2 scale: 3 shift: -1 }", _X),
    simple("power_root", "Power", "power_param { power: 0.5 scale: 2 shift: 0.5 }", _POSITIVE),
    simple("power_inverse", "Power", "power_param { power: -1 }", _POSITIVE),
    simple("power_constant", "Power", "power_param { power: 0 shift: 2 }", _X, checked=0),
    simple("prelu", "PReLU", 'prelu_param { filler { type: "uniform" } }', _X),
    simple("prelu_shared", "PReLU", "prelu_param { channel_shared: true }", _X),
    simple("prelu_items", "PReLU", "", values(3, 4)),
    simple("sigmoid", "Sigmoid", "", _X),
    simple("swish", "Swish", "", _X),
    simple("swish_beta", "Swish", "swish_param { beta: 1.5 }", _X),
    simple("hard_swish", "HardSwish", "", 3 * _X),
    simple("tanh", "TanH", "", _X),
    simple("threshold", "Threshold", "threshold_param { threshold: 0.25 }", _X, checked=0),
]
