"""Signals, full disks and unwritable folders while `caffe train` runs: what is said, what is left."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab_caffe import cli
from deeplab_caffe.caffe import log
from deeplab_caffe.formats import weights
from deeplab_caffe.temporary_files import temporary_name

# A layer that sends this process the signals that param_str states as {where: [names]}; where: "setup" or an iteration.
_MODULE = """
import ast, os, signal
import caffe

class Signals(caffe.Layer):
    def setup(self, bottom, top):
        self.plan, self.passes = ast.literal_eval(self.param_str), 0
        self.send("setup")

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.send(self.passes)
        self.passes += 1

    def backward(self, top, propagate_down, bottom):
        pass

    def send(self, where):
        for name in self.plan.get(where, []):
            os.kill(os.getpid(), getattr(signal, name))
"""
_NET = """
name: "line"
layer {{ name: "signals" type: "Python" top: "s" python_param {{ module: "signals_layer" layer: "Signals"
  param_str: "{plan}" }} }}
layer {{ name: "quiet" type: "Silence" bottom: "s" }}
layer {{ name: "x" type: "DummyData" top: "x" top: "t" dummy_data_param {{ shape {{ dim: 1 dim: 50 }}
  data_filler {{ type: "constant" value: 1 }} }} }}
layer {{ name: "w" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 50 }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }}
"""
_SOLVER = """
net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 6 momentum: 0.5
snapshot_prefix: "{prefix}" snapshot: {snapshot} snapshot_format: {form}
"""


@pytest.fixture
def train(tmp_path, monkeypatch, capfd):
    """`train(plan, *flags, prefix=, snapshot=, form=)`: exit code and stderr of a training of six iterations."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("signals_layer.py").write_text(_MODULE.replace("import caffe", "from deeplab_caffe import caffe"))
    monkeypatch.delitem(sys.modules, "signals_layer", raising=False)

    def call(plan=None, *flags, prefix="snap/line", snapshot=0, form="BINARYPROTO"):
        Path("net.prototxt").write_text(_NET.format(plan=plan or {}))
        Path("solver.prototxt").write_text(_SOLVER.format(prefix=prefix, snapshot=snapshot, form=form))
        log.set_stderr(True)
        code = cli.main(["caffe", "train", "--solver=solver.prototxt", "--allow_python_layers", *flags])
        return code, capfd.readouterr().err

    return call


def _snapshots(folder: str = "snap") -> list[str]:
    """The states that are there; every other file belongs to one of them."""
    names = os.listdir(folder)
    states = {name.split(".")[0] for name in names if ".solverstate" in name}
    assert {name.split(".")[0] for name in names} == states
    return sorted(states)


# -- signals


def test_ctrl_c_stops_after_the_iteration_with_a_snapshot(train):
    code, shown = train({2: ["SIGINT"]})
    assert code == 0 and _snapshots() == ["line_iter_3"]
    assert "Optimization stopped early." in shown and shown.count("Optimization Done.") == 1
    assert "stopped at iteration 3 of 6; resume with --snapshot=snap/line_iter_3.solverstate" in shown
    code, shown = train({}, "--snapshot=snap/line_iter_3.solverstate")
    assert code == 0 and _snapshots() == ["line_iter_3", "line_iter_6"]


def test_a_lost_terminal_gets_a_snapshot(train):
    code, shown = train({2: ["SIGHUP"]})
    assert code == 0 and _snapshots() == ["line_iter_3", "line_iter_6"]
    assert "stopped" not in shown


@pytest.mark.parametrize(
    ("flags", "plan", "expected"),
    [
        ("--sigint_effect=snapshot", {1: ["SIGINT", "SIGINT"]}, ["line_iter_2", "line_iter_6"]),
        ("--sigint_effect=none", {1: ["SIGINT", "SIGINT"]}, ["line_iter_6"]),
        ("--sighup_effect=stop", {1: ["SIGHUP"]}, ["line_iter_2"]),
        ("--sighup_effect=none", {1: ["SIGHUP"], 3: ["SIGINT"]}, ["line_iter_4"]),
    ],
)
def test_effects_are_what_the_flags_say(train, flags, plan, expected):
    code, _ = train(plan, flags)
    assert code == 0 and _snapshots() == expected


def test_a_second_ctrl_c_within_an_iteration_stops_at_once(train):
    code, shown = train({1: ["SIGINT", "SIGINT"]}, snapshot=1)
    assert code == 130 and _snapshots() == ["line_iter_1"]
    assert "Ctrl-C again stops at once" in shown
    assert "interrupted at iteration 1 of 6; resume with --snapshot=snap/line_iter_1.solverstate" in shown


def test_ctrl_c_while_the_nets_are_built(train):
    before = signal.getsignal(signal.SIGINT)
    code, shown = train({"setup": ["SIGINT"]})
    assert code == 130 and not os.path.exists("snap")
    assert shown.splitlines()[-1] == "interrupted while the nets were being built; nothing was trained"
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_stops_with_a_snapshot(train):
    code, shown = train({2: ["SIGTERM"]}, "--sigint_effect=none")
    assert code == 143 and _snapshots() == ["line_iter_3"]
    assert "SIGTERM again stops at once" in shown
    assert shown.endswith("stopped at iteration 3 of 6; resume with --snapshot=snap/line_iter_3.solverstate\n")


def test_a_second_sigterm_does_not_wait(train):
    code, shown = train({1: ["SIGTERM", "SIGTERM"]}, snapshot=1)
    assert code == 143 and _snapshots() == ["line_iter_1"]
    assert "interrupted at iteration 1 of 6; resume with" in shown


def test_sigterm_while_the_nets_are_built(train):
    before = signal.getsignal(signal.SIGTERM)
    code, shown = train({"setup": ["SIGTERM"]})
    assert code == 143 and not os.path.exists("snap")
    assert shown.endswith("interrupted while the nets were being built; nothing was trained\n")
    assert signal.getsignal(signal.SIGTERM) is before


# -- disks


def test_what_a_training_that_was_killed_in_a_snapshot_left_is_removed(train):
    Path("snap").mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    name = temporary_name(Path("line_iter_2.caffemodel")).name
    for process, prefix in ((dead.pid, "line"), (dead.pid, "other"), (1, "line")):
        Path("snap", name.replace(f"~{os.getpid()}-", f"~{process}-").replace("line", prefix)).touch()
    train()
    hidden = [file for file in os.listdir("snap") if file[0] == "."]
    assert len(hidden) == 2 and not any(f"line_iter_2~{dead.pid}-" in file for file in hidden)


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_a_snapshot_that_cannot_be_written_leaves_earlier_ones(train, form):
    code, _ = train(snapshot=6, form=form)
    suffix = ".h5" if form == "HDF5" else ""
    before = {path.name: path.read_bytes() for path in Path("snap").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))  # too little for the weights
    try:
        code, shown = train(snapshot=2, form=form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    failure = "cannot write the snapshot snap/line_iter_2.*: File too large; training can resume from the earlier one"
    assert f"{failure}, snap/line_iter_6.solverstate{suffix}" in shown
    assert {path.name: path.read_bytes() for path in Path("snap").iterdir()} == before


_SMALL_DISK = """
mkdir small && mount -t tmpfs -o size=80k tmpfs small || exit 77
{python} -c "
import sys
from deeplab_caffe import cli
for form in 'BINARYPROTO', 'HDF5':
    print(cli.main(['caffe', 'train', '--minloglevel=2', '--solver=' + form]), file=sys.stderr)
"
cp small/* kept
"""


def test_a_full_disk(train, tmp_path):
    """A tmpfs with room for two snapshots in binary form and one in HDF5."""
    train()
    net = Path("net.prototxt").read_text()
    Path("net.prototxt").write_text("".join(net.partition('layer { name: "x"')[1:]))  # without the Python layer
    for form in ("BINARYPROTO", "HDF5"):
        Path(form).write_text(_SOLVER.format(prefix=f"small/{form}", snapshot=1, form=form))
    Path("kept").mkdir()
    script = _SMALL_DISK.format(python=sys.executable)
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("a tmpfs cannot be mounted here")
    lines = [line for line in done.stderr.splitlines() if "stopping" not in line]
    assert lines[1::2] == ["2", "2"]
    assert "No space left on device" in lines[0] and "No space left on device" in lines[2]
    kept = _snapshots("kept")
    assert kept and all(f"small/{max(kept)}" in line for line in lines[:1])
    assert weights.read_solverstate(f"kept/{kept[0]}.solverstate").iter == 1


def test_a_folder_that_cannot_be_written_is_told_before_training(train):
    Path("file").write_text("")
    for snapshot in (0, 2):
        code, shown = train(prefix="file/line", snapshot=snapshot)
        assert code == 2
        last = shown.splitlines()[-1]
        assert "solver.prototxt:3:1: cannot write snapshots to 'file/line_iter_…': File exists" in last
        assert "Iteration 0" not in shown


def test_a_missing_folder_is_made(train):
    code, _ = train(prefix="a/b/line")
    assert code == 0 and _snapshots("a/b") == ["line_iter_6"]
