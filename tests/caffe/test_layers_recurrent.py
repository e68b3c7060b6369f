"""RNN, LSTM and LSTMUnit against the plain equations; carried states, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe.errors import InputError

_T, _N, _I, _D, _S = 4, 2, 3, 2, 5
_X = values(_T, _N, _I)
_CONT = np.array([[0.0, 0], [1, 1], [1, 0], [1, 1]])
_STATIC = values(_N, _S)
_FILLERS = 'weight_filler { type: "uniform" min: -1 } bias_filler { type: "uniform" }'


def _net(layer, kind: str, *arrays, exposed: int = 0, more: str = _FILLERS, **fields):
    tops = 'top: "top" ' + " ".join(f'top: "last{i}"' for i in range(exposed))
    expose = "expose_hidden: true" if exposed else ""
    return layer(f'{tops} type: "{kind}" recurrent_param {{ num_output: {_D} {expose} {more} }}', *arrays, **fields)


def _params(net):
    return [blob.data.astype(float) for blob in net.params["layer"]]


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _rnn(params, x, cont, h, static=None):
    w_x, b, *more = params
    fixed = static @ more.pop(0).T if static is not None else 0
    w_h, w_o, b_o = more
    outputs = []
    for x_t, cont_t in zip(x, cont, strict=True):
        h = np.tanh(x_t @ w_x.T + b + fixed + (cont_t[:, None] * h) @ w_h.T)
        outputs.append(np.tanh(h @ w_o.T + b_o))
    return np.array(outputs), [h]


def _unit(c, gates, cont):
    i, f, o, g = np.split(gates, 4, axis=1)
    c = cont[:, None] * _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return c, _sigmoid(o) * np.tanh(c)


def _lstm(params, x, cont, h, c, static=None):
    w_x, b, *more = params
    fixed = static @ more.pop(0).T if static is not None else 0
    outputs = []
    for x_t, cont_t in zip(x, cont, strict=True):
        c, h = _unit(c, x_t @ w_x.T + b + fixed + (cont_t[:, None] * h) @ more[0].T, cont_t)
        outputs.append(h)
    return np.array(outputs), [h, c]


_KINDS = {"RNN": (_rnn, 1), "LSTM": (_lstm, 2)}


def test_blobs_in_order(layer):
    d = _D
    rnn = _net(layer, "RNN", _X, _CONT, _STATIC)
    assert [b.shape for b in rnn.params["layer"]] == [(d, _I), (d,), (d, _S), (d, d), (d, d), (d,)]
    lstm = _net(layer, "LSTM", _X, _CONT, _STATIC)
    assert [b.shape for b in lstm.params["layer"]] == [(4 * d, _I), (4 * d,), (4 * d, _S), (4 * d, d)]
    assert [b.shape for b in _net(layer, "LSTM", _X, _CONT).params["layer"]] == [(4 * d, _I), (4 * d,), (4 * d, d)]


def test_a_step_of_lstm_unit_by_hand(layer):
    """Gates i 0, f 0, o 0, g 1: c = ½ · 4 + ½ tanh 1, h = ½ tanh c; with cont 0 the 4 is forgotten."""
    gates = np.array([[[0.0, 0, 0, 1], [0, 0, 0, 1]]])
    text = 'top: "c" top: "h" type: "LSTMUnit"'
    net = layer(text, np.full((1, 2, 1), 4.0), gates, np.array([[1.0, 0]]))
    c = np.array([2 + np.tanh(1) / 2, np.tanh(1) / 2])
    np.testing.assert_allclose(net.blobs["c"].data.ravel(), c, rtol=1e-6)
    np.testing.assert_allclose(net.blobs["h"].data.ravel(), np.tanh(c) / 2, rtol=1e-6)


def test_lstm_unit_gradient_for_cont_between_0_and_1(layer):
    """As in Caffe: F (1 − F) with F = cont · σ(f), times dc · c."""
    cont, gate, cell = 0.5, 0.3, 2.0
    text = 'top: "c" top: "h" type: "LSTMUnit"'
    arrays = np.full((1, 1, 1), cell), np.array([[[0.0, gate, 0, 0]]]), np.array([[cont]])
    net = layer(text, *arrays, back=True)
    net.blobs["c"].diff[...] = 1
    net.backward(start="layer", end="layer")
    forget = cont * _sigmoid(gate)
    assert net.blobs["in1"].diff[0, 0, 1] == pytest.approx(cell * forget * (1 - forget), rel=1e-5)
    assert net.blobs["in0"].diff.item() == pytest.approx(forget, rel=1e-5)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("static", [False, True])
def test_the_equations(layer, kind, static):
    reference, count = _KINDS[kind]
    extra = [_STATIC] if static else []
    net = _net(layer, kind, _X, _CONT, *extra)
    expected, _ = reference(_params(net), _X, _CONT, *[np.zeros((_N, _D))] * count, *extra)
    np.testing.assert_allclose(net.blobs["top"].data, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("static", [False, True])
def test_exposed_states_go_in_and_out(layer, kind, static):
    reference, count = _KINDS[kind]
    extra = [_STATIC] if static else []
    states = [values(1, _N, _D, seed=i) for i in range(count)]
    cont = np.ones((_T, _N))
    net = _net(layer, kind, _X, cont, *extra, *states, exposed=count)
    expected, last = reference(_params(net), _X, cont, *(s[0] for s in states), *extra)
    np.testing.assert_allclose(net.blobs["top"].data, expected, rtol=1e-5, atol=1e-6)
    for i in range(count):
        np.testing.assert_allclose(net.blobs[f"last{i}"].data[0], last[i], rtol=1e-5, atol=1e-6)
    first = net.blobs["top"].data.copy()
    net.forward()
    np.testing.assert_array_equal(net.blobs["top"].data, first)  # nothing is carried


@pytest.mark.parametrize("kind", _KINDS)
def test_the_state_is_carried_to_the_next_forward(layer, kind):
    """Two forwards over halves of a sequence are one over the whole; cont 0 begins anew."""
    x, cont = values(2 * _T, _N, _I), np.ones((2 * _T, _N))
    whole = _net(layer, kind, x, cont)
    halves = _net(layer, kind, x[:_T], cont[:_T], run=False)
    for mine, theirs in zip(halves.params["layer"], whole.params["layer"], strict=True):
        mine.data[...] = theirs.data
    first = halves.forward()["top"].copy()
    halves.blobs["in0"].data[...] = x[_T:]
    second = halves.forward()["top"].copy()
    np.testing.assert_allclose(np.concatenate([first, second]), whole.blobs["top"].data, rtol=1e-5, atol=1e-6)
    halves.blobs["in0"].data[...] = x[:_T]
    halves.blobs["in1"].data[0] = 0
    np.testing.assert_array_equal(halves.forward()["top"], first)


@pytest.mark.parametrize("kind", _KINDS)
def test_another_number_of_streams_begins_at_zero(layer, kind):
    net = _net(layer, kind, _X, np.ones((_T, _N)))
    net.blobs["in0"].reshape(_T, 1, _I)
    net.blobs["in1"].reshape(_T, 1)
    net.blobs["in0"].data[...] = _X[:, :1]
    net.blobs["in1"].data[...] = 1
    reference, count = _KINDS[kind]
    expected, _ = reference(_params(net), _X[:, :1], np.ones((_T, 1)), *[np.zeros((1, _D))] * count)
    np.testing.assert_allclose(net.forward()["top"], expected, rtol=1e-5, atol=1e-6)


def test_features_of_several_axes_are_one_vector(layer):
    flat = _net(layer, "LSTM", values(2, 1, 6), np.zeros((2, 1)))
    deep = _net(layer, "LSTM", values(2, 1, 6).reshape(2, 1, 3, 2), np.zeros((2, 1)), run=False)
    for mine, theirs in zip(deep.params["layer"], flat.params["layer"], strict=True):
        mine.data[...] = theirs.data
    np.testing.assert_array_equal(deep.forward()["top"], flat.blobs["top"].data)


def test_debug_info_prints_a_line(layer, logged):
    _net(layer, "RNN", _X, _CONT, more="debug_info: true")
    assert "layer: 4 steps of 3 inputs, 2 outputs" in logged()


def test_cont_has_no_gradient(layer):
    net = _net(layer, "RNN", _X, _CONT, back=True)
    assert net.layer_dict["layer"].propagate_down == [True, False]
    with pytest.raises(InputError, match=r"\(RNN\): bottom in1 has no gradient"):
        net.layer_dict["layer"].backward([net.blobs["top"]], [True, True], [net.blobs["in0"], net.blobs["in1"]])


@pytest.mark.parametrize(
    ("more", "arrays", "expected"),
    [
        ("expose_hidden: true", (_X, _CONT), "2 bottoms and 1 tops, wanted x, cont, perhaps x_static, the first h"),
        ("", (_X, _CONT, _STATIC, _STATIC), "has 4 bottoms and 1 tops, wanted x, cont, perhaps x_static, and 1 tops"),
        ("", (_X, _CONT[:2]), "x (4, 2, 3) and cont (2, 2), wanted (4, N, …) and (4, N)"),
        ("", (_X, _CONT, _STATIC[:1]), "bottom (1, 5) does not fit N 2 and the weights for 5 inputs"),
        ("", (_X[0, 0], _CONT), "bottom (3,) has 1 axes, wanted more"),
        ("num_output: 0", (_X, _CONT), "num_output is 0 or not stated, wanted a positive number"),
    ],
)  # fmt: skip
def test_errors(layer, more, arrays, expected):
    more = more if "num_output" in more else f"num_output: 2 {more}"
    with pytest.raises(InputError) as caught:
        layer(f'type: "LSTM" recurrent_param {{ {more} }}', *arrays)
    assert "layer 'layer' (LSTM): " in str(caught.value)
    assert expected in str(caught.value)


def test_shapes_of_states_and_steps_are_checked(layer):
    with pytest.raises(InputError, match=r"\(RNN\): the first h is \(1, 2, 3\), wanted \(1, 2, 2\)"):
        _net(layer, "RNN", _X, _CONT, np.zeros((1, 2, 3)), exposed=1)
    net = _net(layer, "RNN", _X, _CONT)
    net.blobs["in0"].reshape(_T + 1, _N, _I)
    net.blobs["in1"].reshape(_T + 1, _N)
    with pytest.raises(InputError, match=r"x \(5, 2, 3\) and cont \(5, 2\), wanted \(4, N, …\)"):
        net.forward()
    text = 'top: "c" top: "h" type: "LSTMUnit"'
    with pytest.raises(InputError, match=r"cell \(1, 2, 3\), gates \(1, 2, 4\) and cont \(1, 2\), wanted"):
        layer(text, np.zeros((1, 2, 3)), np.zeros((1, 2, 4)), np.zeros((1, 2)))
