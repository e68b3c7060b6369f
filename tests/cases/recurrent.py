"""Cases of the recurrent layers. Where the state is carried, the first step resets it: the result must repeat."""

from __future__ import annotations

import numpy as np

from cases import Case, simple, values

_X = values(3, 2, 2, 2)
_FIRST = np.array([[0.0, 0], [1, 0], [1, 1]])
_LATER = np.array([[1.0, 0], [1, 1], [0, 1]])
_STATIC = values(2, 5)
_STATES = values(1, 2, 3), values(1, 2, 3, seed=1)
_PARAM = 'num_output: 3 weight_filler { type: "uniform" min: -1 } bias_filler { type: "uniform" }'


def _case(name: str, kind: str, *arrays: np.ndarray, exposed: int = 0) -> Case:
    """Every bottom but cont, the second, wants a gradient."""
    more = f"recurrent_param {{ {_PARAM} {'expose_hidden: true' if exposed else ''} }}"
    case = simple(name, kind, more, *arrays, tops=1 + exposed)
    names = tuple(bottom for bottom in case.bottoms if bottom != "x1")
    return Case(name, case.text, case.bottoms, differentiable=names)


CASES = [
    _case("rnn", "RNN", _X, _FIRST),
    _case("rnn_static", "RNN", _X, _FIRST, _STATIC),
    _case("rnn_exposed", "RNN", _X, _LATER, _STATES[0], exposed=1),
    _case("lstm", "LSTM", _X, _FIRST),
    _case("lstm_static_exposed", "LSTM", _X, _LATER, _STATIC, *_STATES, exposed=2),
    simple("lstm_unit", "LSTMUnit", "", _STATES[0], values(1, 2, 12), np.array([[0.0, 1]]), tops=2, checked=2),
]
