"""The solver: its nets, the loop, what it logs, clipping, tests, snapshots and stops."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.caffe.signals import Action
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import weights

# loss = (w · 1 − 2)² / 2 for one weight w: its gradient is w − 2.
_NET = """
name: "line"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "w" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 bias_term: false } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


@pytest.fixture
def solver(tmp_path, monkeypatch):
    """`solver(text, net=_NET)`: a solver of net.prototxt with base_lr 0.5 and rate "fixed" unless stated."""
    monkeypatch.chdir(tmp_path)

    def build(text: str = "", net: str = _NET):
        (tmp_path / "net.prototxt").write_text(net)
        defaults = {"base_lr:": "base_lr: 0.5", "lr_policy:": 'lr_policy: "fixed"'}
        if "train_net:" not in text:
            defaults[" net:"] = 'net: "net.prototxt"'
        stated = " ".join(line for key, line in defaults.items() if key not in f" {text}")
        (tmp_path / "solver.prototxt").write_text(f"{stated} {text}")
        built = caffe.get_solver("solver.prototxt")
        for one in (built.net, *built.test_nets):
            if "x" in one.blobs:
                one.blobs["x"].data[...] = 1
                one.blobs["t"].data[...] = 2
        return built

    return build


def _weight(built) -> float:
    return float(built.net.params["w"][0].data[0, 0])


# -- one update


def test_plain_descent(solver):
    built = solver()
    built.step(1)
    assert (_weight(built), built.iter) == (1, 1)
    built.step(2)
    assert (_weight(built), built.iter) == (1.75, 3)


def test_momentum_holds_the_rate_of_its_time(solver):
    built = solver('momentum: 0.5 lr_policy: "multistep" gamma: 0 stepvalue: 1')
    built.step(2)  # 1, then the history 0.5 · 1 alone, though the rate is 0 now
    assert _weight(built) == 1.5


@pytest.mark.parametrize(("kind", "expected"), [("L2", 4 - 0.5 * (2 + 0.1 * 4)), ("L1", 4 - 0.5 * (2 + 0.1))])
def test_weight_decay(solver, kind, expected):
    built = solver(f'weight_decay: 0.1 regularization_type: "{kind}"')
    built.net.params["w"][0].data[...] = 4
    built.step(1)
    assert _weight(built) == pytest.approx(expected)


def test_multipliers(solver):
    net = _NET.replace('top: "y"', 'top: "y" param { lr_mult: 0.5 decay_mult: 2 }')
    built = solver("weight_decay: 0.1", net)
    built.net.params["w"][0].data[...] = 4
    built.step(1)
    assert _weight(built) == pytest.approx(4 - 0.25 * (2 + 0.2 * 4))


def test_clipping_comes_before_the_division_by_iter_size(solver, logged):
    built = solver("clip_gradients: 1 iter_size: 2")
    built.step(1)  # the sum of two gradients −2 is clipped to −1, then halved
    assert _weight(built) == pytest.approx(0.25)
    assert "Gradient clipping: scaling down gradients (L2 norm 4 > 1) by scale factor 0.25" in logged()
    loose = solver("clip_gradients: 2")
    loose.step(1)
    assert _weight(loose) == 1


def test_iter_size_averages(solver):
    built = solver("iter_size: 4")
    built.step(1)
    assert _weight(built) == 1


def test_callbacks(solver):
    built, seen = solver(), []
    built.add_callback(
        lambda: seen.append(("start", built.iter)), lambda: seen.append(float(built.net.params["w"][0].diff[0, 0]))
    )
    built.step(2)
    assert seen == [("start", 0), -2, ("start", 1), -1]


# -- rates and the log


def test_multistep_takes_one_step_in_an_iteration(solver, logged):
    built = solver('lr_policy: "multistep" gamma: 0.1 stepvalue: [2, 2, 3] display: 1')
    built.step(6)
    rates = [float(line.split("lr = ")[1]) for line in logged() if "lr = " in line]
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.005, 0.0005, 0.0005])
    assert "MultiStep Status: Iteration 2, step = 1" in logged()
    assert built.current_step == 3


def test_average_loss_is_what_is_displayed(solver, logged):
    built = solver("average_loss: 2 display: 1 base_lr: 0 max_iter: 4")
    built.net.params["w"][0].data[...] = 0
    for value in (0, 2, 4):
        built.net.params["w"][0].data[...] = value
        built._step(built.iter + 1)  # the buffer lasts for one call of step
    losses = [line.split("loss = ")[1] for line in logged() if line.startswith("Iteration") and "loss" in line]
    assert losses == ["2", "1", "1"]


def test_display_lines(solver, logged, monkeypatch):
    monkeypatch.setattr(log, "_dialect", "rc3")
    built = solver("display: 2 max_iter: 4 snapshot_after_train: false")
    built.solve()
    assert [line for line in logged() if line.startswith(("    Train", "Iteration", "Opt", "Solv"))] == [
        "Solving line",
        "Iteration 0, loss = 2",
        "    Train net output #0: loss = 2 (* 1 = 2 loss)",
        "Iteration 0, lr = 0.5",
        "Iteration 2, loss = 0.125",
        "    Train net output #0: loss = 0.125 (* 1 = 0.125 loss)",
        "Iteration 2, lr = 0.5",
        "Iteration 4, loss = 0.0078125",
        "Optimization Done.",
    ]


def test_display_lines_tell_the_speed(solver, logged):
    built = solver("display: 2 max_iter: 3 snapshot_after_train: false")
    built.solve()
    timed = [line for line in logged() if "iter/s" in line]
    number = r"[\d.e+-]+"
    assert len(timed) == 2
    assert re.fullmatch(rf"Iteration 2 \({number} iter/s, {number}s/2 iters\), loss = 0.125", timed[1])


# -- test nets


def test_tests_come_before_the_update_and_average(solver, logged):
    built = solver("test_iter: 3 test_interval: 2 test_compute_loss: true")
    built.step(3)
    lines = [line for line in logged() if "est" in line and "Use" not in line]
    assert [line for line in lines if "Testing" in line] == [
        "Iteration 0, Testing net (#0)",
        "Iteration 2, Testing net (#0)",
    ]
    assert [line for line in lines if line.startswith("Test loss")] == ["Test loss: 2", "Test loss: 0.125"]
    assert lines[-1] == "    Test net output #0: loss = 0.125 (* 1 = 0.125 loss)"


def test_the_test_at_the_start_can_be_left_out(solver, logged):
    solver("test_iter: 1 test_interval: 2 test_initialization: false").step(3)
    assert [line for line in logged() if "Testing" in line] == ["Iteration 2, Testing net (#0)"]


def test_nets_by_state(solver):
    net = _NET + 'layer { name: "r" type: "ReLU" bottom: "loss" top: "r" include { stage: "extra" } }'
    built = solver('test_iter: [1, 1] test_interval: 1 test_state { } test_state { stage: "extra" }', net)
    assert ["r" in one.layer_dict for one in (built.net, *built.test_nets)] == [False, False, True]
    assert [one.state.phase for one in (built.net, *built.test_nets)] == [caffe.TRAIN, caffe.TEST, caffe.TEST]
    assert "r" in solver('train_state { stage: "extra" }', net).net.layer_dict
    built.net.params["w"][0].data[...] = 8
    assert (built.test_nets[0].params["w"][0].data != 8).all()  # as in Caffe, they share weights from the first test on
    built.test_all()
    assert (built.test_nets[0].params["w"][0].data == 8).all()


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("test_iter", "test_iter: 1", "with a test net, test_interval must be positive"),
        ("test_net", "test_net: 'net.prototxt' test_interval: 1", "0 test_iter for 1 test nets"),
        ("test_state", "test_iter: 1 test_interval: 1 test_state { } test_state { }", "2 test_state for 1 test nets"),
        ("train_net", "train_net: 'a' net: 'b'", "wanted exactly one of net, net_param, train_net"),
        ("train_net", "train_net: 'gone.prototxt'", "names the net 'gone.prototxt', which does not exist"),
        ("average_loss", "average_loss: 0", "average_loss and iter_size must be 1 or more"),
        ("iter_size", "iter_size: 0", "average_loss and iter_size must be 1 or more"),
        ("regularization_type", "regularization_type: 'L3'", "regularization_type is 'L3', wanted L1 or L2"),
        ("lr_policy", "lr_policy: 'stepp'", "unknown lr_policy 'stepp'; did you mean 'step'?"),
        ("lr_policy", "lr_policy: 'step'", "lr_policy 'step' needs a positive stepsize, got 0"),
        ("gamma", "lr_policy: 'exp' gamma: -1", "gamma is -1, wanted 0 or more"),
        ("type", "type: 'SGDD'", "unknown solver type 'SGDD'; did you mean 'SGD'?"),
        ("momentum", "type: 'AdaGrad' momentum: 0.9", "AdaGrad takes no momentum, got momentum 0.9"),
        ("rms_decay", "type: 'RMSProp' rms_decay: 1", "rms_decay is 1, wanted 0 or more and below 1"),
        ("momentun", "momentun: 0.9", "SolverParameter has no field 'momentun'; did you mean 'momentum'?"),
    ],
)
def test_errors_say_where(solver, tmp_path, field, text, expected):
    with pytest.raises(InputError) as caught:
        solver(text)
    place = re.match(r"solver\.prototxt:1:(\d+): ", str(caught.value))
    assert place and (tmp_path / "solver.prototxt").read_text()[int(place[1]) - 1 :].startswith(field)
    assert expected in str(caught.value)


def test_weights_go_into_all_nets(solver, tmp_path):
    built = solver()
    built.net.params["w"][0].data[...] = 7
    built.net.save("seven.caffemodel")
    assert _weight(solver('weights: "seven.caffemodel"')) == 7


# -- snapshots and stops


def test_snapshot_names_and_contents(solver, tmp_path):
    built = solver('snapshot: 2 snapshot_prefix: "out/line" max_iter: 5 momentum: 0.9')
    built.solve()
    found = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert [n for n in found if n.endswith("caffemodel")] == [f"line_iter_{i}.caffemodel" for i in (2, 4, 5)]
    assert [n for n in found if n.endswith("solverstate")] == [f"line_iter_{i}.solverstate" for i in (2, 4, 5)]
    state = weights.read_solverstate("out/line_iter_5.solverstate")
    assert (state.iter, state.learned_net) == (5, "out/line_iter_5.caffemodel")
    np.testing.assert_array_equal(state.history[0], built.history[0].numpy())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("snapshot: 2 max_iter: 4", [2, 4]),
        ("snapshot: 2 max_iter: 3 snapshot_after_train: false", [2]),
        ("max_iter: 3", [3]),
    ],
)
def test_the_last_snapshot(solver, tmp_path, text, names):
    solver(text).solve()
    found = {p.name for p in tmp_path.glob("*.caffemodel")}
    assert found == {f"solver_iter_{i}.caffemodel" for i in names}  # the solver file's own name by default


def test_snapshots_may_hold_diffs(solver):
    built = solver("snapshot_diff: true max_iter: 1")
    built.solve()
    assert weights.read_caffemodel("solver_iter_1.caffemodel")[2].blobs[0].diff.tolist() == [[-1]]


def test_a_prefix_that_cannot_be_written_fails_at_the_start(solver, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write snapshots to 'file/x_iter_…'"):
        solver('snapshot: 1 snapshot_prefix: "file/x"')


def test_a_history_of_another_net_is_refused(solver):
    built = solver("max_iter: 1")
    built.solve()
    weights.write_solverstate("other.solverstate", weights.SolverState(1, "", [np.zeros(1)] * 2, 0))
    with pytest.raises(InputError, match=r"other\.solverstate: holds 2 history blobs, this solver \(SGD\) has 1"):
        built.restore("other.solverstate")
    weights.write_solverstate("other.solverstate", weights.SolverState(1, "", [np.zeros((2, 3))], 0))
    with pytest.raises(InputError, match=r"history blob 0 is \(2, 3\), this solver's \(1, 1\)"):
        built.restore("other.solverstate")


def test_a_moved_folder_still_restores(solver, tmp_path):
    built = solver('snapshot_prefix: "a/x" max_iter: 2')
    built.solve()
    os.rename("a", "b")
    other = solver()
    other.restore("b/x_iter_2.solverstate")
    assert (other.iter, _weight(other)) == (2, _weight(built))


def test_a_stop_ends_the_iteration_and_snapshots(solver, logged, tmp_path):
    built = solver("max_iter: 10")
    asked = iter([Action.NONE, Action.SNAPSHOT, Action.STOP])
    built.action = lambda: next(asked)
    built.solve()
    assert built.iter == 3
    assert {p.name for p in tmp_path.glob("*.caffemodel")} == {"solver_iter_2.caffemodel", "solver_iter_3.caffemodel"}
    assert logged()[-1] == "Optimization stopped early."
    built.action = lambda: Action.NONE
    built.solve("solver_iter_2.solverstate")
    assert built.iter == 10


def test_a_stop_within_a_test_leaves_before_the_update(solver, logged):
    built = solver("max_iter: 10 test_iter: 5 test_interval: 1")
    asked = iter([Action.NONE, Action.STOP])
    built.action = lambda: next(asked)
    built.solve()
    assert built.iter == 0
    assert "Test interrupted." in logged()
