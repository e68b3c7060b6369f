"""The caffe command against recordings of C++ Caffe's, line by line, and what it says of wrong command lines."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe, cli
from deeplab_caffe.cli.commands.caffe import PROGRAM
from deeplab_caffe.evaluation import read_train_log
from tolerances import assert_same_lines, printed

_PREFIX = re.compile(r"([IWEF])\d{4}(?:\d{4})? [\d:.]+ +\d+ ")
_WAYS = ("forward", "backward")


@pytest.fixture
def run(recordings, tmp_path, monkeypatch):
    """The folder of the recorded run, without its snapshots and logs, as the working directory."""
    keep = shutil.ignore_patterns("snap_*", "*.log")
    folder = shutil.copytree(recordings / "train_log", tmp_path / "run", ignore=keep)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(capsys):
    """`command(words)`: the lines that `caffe <words>` writes to stderr, after success."""

    def call(words: str, code: int = 0) -> list[str]:
        capsys.readouterr()
        assert cli.main(["caffe", *words.split()]) == code
        return capsys.readouterr().err.splitlines()

    return call


def _recorded(recordings: Path, name: str) -> list[str]:
    return (recordings / "train_log" / name).read_text().splitlines()


def _same(ours: list[str], theirs: list[str]) -> None:
    """The same lines but for date, time and thread."""
    assert_same_lines(*([_PREFIX.sub(r"\1 ", line) for line in lines] for lines in (ours, theirs)))


# -- as recorded


def test_train_writes_the_recorded_lines(run, command, recordings):
    ours = command("train --solver=solver.prototxt --weights=init.caffemodel --log rc3")
    _same(ours, _recorded(recordings, "train.log"))
    assert (run / "snap_iter_12.solverstate.h5").exists()


def test_resume_writes_the_recorded_lines(run, command, recordings):
    for name in ("snap_iter_6.caffemodel.h5", "snap_iter_6.solverstate.h5"):
        shutil.copy(recordings / "train_log" / name, run)
    ours = command("train -solver solver.prototxt -snapshot snap_iter_6.solverstate.h5 --log=rc3")
    warnings = [line for line in ours if line.startswith("W")]
    assert len(warnings) == 1 and "resume.json" in warnings[0]  # C++ Caffe has no such file
    _same([line for line in ours if line not in warnings], _recorded(recordings, "resume.log"))


@pytest.mark.parametrize("extra", ["", "--plain"])
def test_test_writes_the_recorded_lines(run, command, recordings, extra):
    shutil.copy(recordings / "train_log" / "snap_iter_12.caffemodel.h5", run)
    ours = command(f"test --model net.prototxt --weights snap_iter_12.caffemodel.h5 -iterations 3 --log rc3 {extra}")
    _same(ours, _recorded(recordings, "test.log"))


# -- the other commands


def test_time_tells_of_every_layer(run, command):
    lines = command("time --model=net.prototxt --iterations=2 --phase TEST")
    text = [line.split("] ", 1)[1] for line in lines if "] " in line]
    text = text[text.index("*** Benchmark begins ***") :]
    shown = [re.sub(r"[\d.]+(e-\d+)? ms", "t ms", line) for line in text]
    layers = [f"{name:>10}\t{way}: t ms." for name in ("data", "conv1", "relu1", "ip", "loss") for way in _WAYS]
    assert shown == [
        "*** Benchmark begins ***",
        "Testing for 2 iterations.",
        "Iteration: 1 forward-backward time: t ms.",
        "Iteration: 2 forward-backward time: t ms.",
        "Average time per layer: ",
        *layers,
        "Average Forward pass: t ms.",
        "Average Backward pass: t ms.",
        "Average Forward-Backward: t ms.",
        "Total Time: t ms.",
        "*** Benchmark ends ***",
    ]


def test_save_writes_what_was_loaded(run, command):
    command("save --model=net.prototxt --weights=init.caffemodel --out_weights=out.caffemodel.h5")
    nets = [caffe.Net("net.prototxt", caffe.TEST, weights=w) for w in ("init.caffemodel", "out.caffemodel.h5")]
    np.testing.assert_array_equal(nets[0].params["ip"][0].data, nets[1].params["ip"][0].data)


def test_device_query_counts(command):
    assert any("Querying GPUs " in line for line in command("device_query"))


def test_a_log_folder_gets_the_log_under_glogs_names(run, command):
    command("test --model=net.prototxt --weights=init.caffemodel --iterations=1 --log_dir=logs --minloglevel=2")
    (path,) = (run / "logs").glob("caffe.*.log.INFO.*")
    text = (run / "logs" / "caffe.INFO").read_text()
    assert text == path.read_text()
    assert text.startswith("Log file created at: 20")
    assert "net.cpp:255] Network initialization done." in text and "Batch 0, loss = " in text


def test_stage_and_level_choose_layers(run, command):
    Path("net.prototxt").write_text(
        Path("net.prototxt").read_text()
        + 'layer { name: "extra" type: "Softmax" bottom: "ip" top: "soft" include { stage: "a" min_level: 2 } }'
    )
    words = "test --model=net.prototxt --weights=init.caffemodel --iterations=1"
    assert not any("soft" in line for line in command(words))
    assert any("Batch 0, soft = " in line for line in command(f"{words} --stage=b,a --level=2"))


def test_lines_are_those_of_bvlc_unless_rc3_is_asked_for(run, command):
    """The places are those of BVLC Caffe 1.0's log of LeNet."""
    lines = command("train --solver=solver.prototxt")
    speed = r"Iteration 2 \([\d.e+-]+ iter/s, [\d.e+-]+s/2 iters\), loss = [\d.]+"
    for pattern in (
        rf".* solver\.cpp:218\] {speed}",
        r".* solver\.cpp:237\]     Train net output #0: loss = .*",
        r".* sgd_solver\.cpp:105\] Iteration 2, lr = .*",
        r".* solver\.cpp:330\] Iteration 0, Testing net \(#0\)",
        r".* solver\.cpp:397\]     Test net output #0: loss = .*",
        r".* net\.cpp:84\] Creating Layer conv1",
    ):
        assert any(re.fullmatch(pattern, line) for line in lines), pattern
    older = command("train --solver=solver.prototxt --log rc3")
    assert any(re.fullmatch(r".* solver\.cpp:228\] Iteration 2, loss = [\d.]+", line) for line in older)
    assert not any("iter/s" in line for line in older)


def test_the_log_tells_which_rules_a_net_does_not_meet(run, command):
    rules = (
        "include { phase: TRAIN }", "include { min_level: 2 }", "include { stage: 'a' }",
        "exclude { phase: TRAIN }", "exclude { not_stage: 'c' }",
    )  # fmt: skip
    softmax = 'layer {{ name: "s{}" type: "Softmax" bottom: "ip" top: "s{}" {} }}'
    with open("net.prototxt", "a") as file:
        file.writelines(softmax.format(i, i, rule) for i, rule in enumerate(rules))
    words = "test --model=net.prototxt --weights=init.caffemodel --iterations=1 --stage=c --level=1"
    for dialect, place in (("bvlc", "294"), ("rc3", "322")):
        lines = [line.split("] ", 1) for line in command(f"{words} --log={dialect}")]
        told = [line for line in lines if "specified by a rule" in line[-1]]
        assert [text for _, text in told] == [
            "The NetState phase (1) differed from the phase (0) specified by a rule in layer s0",
            "The NetState level (1) is above the min_level (2) specified by a rule in layer s1",
            "The NetState did not contain stage 'a' specified by a rule in layer s2",
            "The NetState phase (1) differed from the phase (0) specified by a rule in layer s3",
            "The NetState contained a not_stage 'c' specified by a rule in layer s4",
        ]
        assert told[0][0].endswith(f" net.cpp:{place}")


# -- what a wrong command line gets


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("train --log=old --solver=solver.prototxt", "--log=old: expected bvlc or rc3"),
        ("", "expected one command of train, test, time, device_query, save but got none"),
        ("train test", "got train test"),
        ("trian", "unknown command 'trian'; did you mean 'train'?"),
        ("train", "caffe train requires --solver=FILE"),
        ("train --sovler=x", "unknown flag '--sovler'; did you mean 'solver'?"),
        ("train --solver=gone", "--solver: the file 'gone' does not exist (working folder: "),
        ("train --solver", "--solver: missing value"),
        ("train --solver=solver.prototxt --snapshot=a --weights=b", "--snapshot and --weights exclude each other"),
        ("train --solver=solver.prototxt --snapshot=init.caffemodel", "wanted a .solverstate; a .caffemodel goes"),
        ("train --solver=solver.prototxt --weights=init.caffemodel,gone", "--weights: the file 'gone' does not exist"),
        ("train --solver=solver.prototxt --sigint_effect=halt", "--sigint_effect=halt: wanted snapshot, stop or none"),
        ("train --solver=solver.prototxt --gpu=a", "--gpu a: wanted the numbers of CUDA devices"),
        ("test --model=net.prototxt", "caffe test requires --weights=FILE"),
        ("test --model=net.prototxt --weights=init.caffemodel --iterations=many", "expected an integer but got 'many'"),
        ("test --model=net.prototxt --weights=init.caffemodel --iterations=0", "--iterations=0: wanted 1 or more"),
        ("time --model=net.prototxt --phase=BOTH", "--phase=BOTH: wanted TRAIN or TEST"),
        ("time --model=net.prototxt --plain=maybe", "--plain: expected true or false but got 'maybe'"),
        ("save --model=net.prototxt --weights=init.caffemodel", "caffe save requires --out_weights=FILE"),
    ],
)
def test_wrong_flags_are_one_clear_line(run, command, words, expected):
    (line,) = command(words, code=2)
    assert expected in line


def test_help_shows_commands_and_flags(capsys):
    assert cli.main(["caffe", "-help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("train", "device_query", "-sighup_effect", 'default: "snapshot"'))


def test_every_flag_is_explained():
    text = (Path(__file__).parent.parent.parent / "docs" / "caffe-command.md").read_text()
    hidden = {"logtostderr", "alsologtostderr"}  # for old scripts
    assert [flag.name for flag in PROGRAM.flags if flag.name not in hidden and f"`{flag.name}`" not in text] == []


def test_a_layer_without_weights_is_refused_or_allowed(run, command):
    Path("net.prototxt").write_text(Path("net.prototxt").read_text().replace('name: "ip"', 'name: "new_ip"'))
    words = "test --model=net.prototxt --weights=init.caffemodel --iterations=1"
    (line,) = command(f"{words} --minloglevel=2", code=2)
    assert "no weights for 1 of the 2 layers that need some, 'new_ip' the first" in line
    assert any("Layer new_ip gets no weights" in line for line in command(f"{words} --allow_uninitialized"))


def test_weights_of_another_net_are_refused(run, command):
    Path("net.prototxt").write_text(re.sub(r'name: "(conv1|ip)"', r'name: "new_\1"', Path("net.prototxt").read_text()))
    words = "test --model=net.prototxt --weights=init.caffemodel --minloglevel=2"
    (line,) = command(words, code=2)
    assert "init.caffemodel has no weights for 2 of the 2 layers that need some, 'new_conv1' the first" in line


def test_python_layers_are_asked_for(run, command):
    Path("net.prototxt").write_text(
        'layer { name: "p" type: "Python" top: "p" python_param { module: "m" layer: "L" } }'
    )
    assert "--allow-python-layers" in command("time --model=net.prototxt --minloglevel=2", code=2)[-1]
    assert "no module 'm'" in command("time --model=net.prototxt --allow_python_layers", code=2)[-1]


def test_a_solver_that_wants_a_gpu_trains_on_the_cpu_where_there_is_none(run, command):
    if caffe.has_gpu():
        pytest.skip("there is a GPU")
    text = Path("solver.prototxt").read_text().replace("solver_mode: CPU", "solver_mode: GPU")
    Path("solver.prototxt").write_text(text)
    lines = command("train --solver=solver.prototxt --minloglevel=2")
    assert "solver_mode is GPU, but PyTorch sees no CUDA device here" in lines[0]


# -- parsers in circulation


#: what programs that read Caffe's logs look for: BVLC's table and shell scripts, plot scripts of DeepLab's users
_PARSERS = {
    "iteration": r"Iteration (\d+)",
    "plain loss": r"Iteration (\d+), loss = ([\d.eE+-]+)",
    "loss column": r", loss = (\S+)",
    "train output": r"Train net output #(\d+): (\S+) = ([\d.eE+-]+)",
    "test output": r"Test net output #(\d+): (\S+) = ([\d.eE+-]+)",
    "weighted": r"= ([\d.]+) \(\* ([\d.]+) = ([\d.]+) loss\)",
    "rate": r"lr = ([-+]?\d*\.?\d+(?:[eE]?[-+]?\d+)?)",
    "start": r"\] Solving ",
    "testing": r"Iteration (\d+), Testing net \(#0\)",
    "place": r"(?:sgd_)?solver\.cpp:\d+\] ",
    "done": r"caffe\.cpp:\d+\] Optimization Done\.",
}


def test_parsers_in_circulation_read_the_log(run, command):
    lines = command("train --solver=solver.prototxt --weights=init.caffemodel --log rc3")
    found = {name: [m for line in lines if (m := re.search(pattern, line))] for name, pattern in _PARSERS.items()}
    assert [m[1] for m in found["plain loss"]] == ["0", "2", "4", "6", "8", "10", "12"]
    assert [m[1] for m in found["rate"]][:2] == ["0.01", "0.00848666"]
    assert float(found["test output"][0][3]) == printed("1.83122") and len(found["train output"]) == 6
    assert all(found.values())


def test_columns_and_dates_are_where_scripts_cut_them(run, command):
    """awk's $9 of a line with the rate, $11 of a test output; month and day behind the level's letter."""
    lines = command("train --solver=solver.prototxt --weights=init.caffemodel")
    rates = [line.split()[8] for line in lines if ", lr = " in line]
    tests = [line.split()[10] for line in lines if "Test net output #0" in line]
    assert rates[0] == "0.01" and float(tests[0]) == printed("1.83122")
    date, clock = lines[0].split()[:2]
    assert 1 <= int(date[1:3]) <= 12 and 1 <= int(date[3:]) <= 31 and re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6}", clock)


def test_our_own_reader_reads_the_log(run, command, tmp_path):
    path = tmp_path / "train.log"
    path.write_text("\n".join(command("train --solver=solver.prototxt --weights=init.caffemodel")) + "\n")
    log = read_train_log(path)
    assert log.names == ["loss", "lr", "test/loss", "train/loss"]
    assert log.columns["loss"][12] == printed("0.282359") and len(log.seconds) == 7
