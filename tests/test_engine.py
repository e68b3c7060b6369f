"""Which Caffe runs: the choice, and what an installed one is asked for. Whole runs on one: tests/bvlc."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deeplab_caffe import caffe, cli, engine
from deeplab_caffe.caffe import alias
from deeplab_caffe.engine import system
from deeplab_caffe.engine.stderr_log import LoggedLoss
from deeplab_caffe.errors import InputError, Stopped
from deeplab_caffe.formats import schema


@pytest.fixture(autouse=True)
def _chosen_anew() -> Iterator[None]:
    engine._engine.cache_clear()
    yield
    engine._engine.cache_clear()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that `import caffe` finds, and DEEPLAB_CAFFE=system."""
    alias.uninstall()
    module = types.ModuleType("caffe")
    module.__file__ = "/usr/lib/caffe/__init__.py"
    calls: list[str] = []
    module.calls = calls  # type: ignore[attr-defined]
    for name in ("set_mode_cpu", "set_mode_gpu", "set_device", "get_solver"):
        setattr(module, name, lambda *arguments, name=name: calls.append(f"{name}{arguments}"))
    module.layer_type_list = lambda: ["Input", "Convolution", "Python"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "caffe", module)
    monkeypatch.setenv("DEEPLAB_CAFFE", "system")
    return module


def test_the_embedded_one_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "", "embedded"):
        monkeypatch.delenv("DEEPLAB_CAFFE", raising=False)
        if value is not None:
            monkeypatch.setenv("DEEPLAB_CAFFE", value)
        assert engine.is_embedded() and engine.caffe() is caffe
    monkeypatch.setenv("DEEPLAB_CAFFE", "sytem")
    with pytest.raises(InputError, match="DEEPLAB_CAFFE is 'sytem'; expected embedded or system"):
        engine.caffe()


def test_an_installed_one(installed: types.ModuleType) -> None:
    assert engine.caffe() is installed and not engine.is_embedded()


def test_none_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where `import caffe` gave the embedded one before."""
    monkeypatch.setenv("DEEPLAB_CAFFE", "embedded")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not (Path(path) / "caffe").exists()])
    engine.install_as_caffe()
    engine.choose("system")
    with pytest.raises(InputError, match="DEEPLAB_CAFFE=system, but no caffe can be imported: No module named 'caffe'"):
        engine.caffe()


def test_what_is_found_is_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder named caffe, say that of Caffe's sources, can be imported as well."""
    monkeypatch.setenv("DEEPLAB_CAFFE", "system")
    alias.uninstall()
    (tmp_path / "caffe").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=f"`import caffe` finds .*{tmp_path}/caffe.*, which is not pycaffe"):
        engine.caffe()
    del sys.modules["caffe"]


def test_scripts_get_the_one_that_is_chosen(
    installed: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "script.py").write_text("import caffe\nprint(caffe.__file__)\n")
    engine.run_script(str(tmp_path / "script.py"))
    monkeypatch.setenv("DEEPLAB_CAFFE", "embedded")
    engine.run_script(str(tmp_path / "script.py"))
    assert capsys.readouterr().out.splitlines() == [installed.__file__, caffe.__file__]


_OLD = """import caffe
d = {'a': 1}
for k, v in d.iteritems():
    print k, v, d.has_key('a')
for i in xrange(2):
    print i / 2.0,
print 7 / 2, caffe.TEST
"""


def test_a_script_of_python_2_is_translated_in_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "old.py"
    path.write_text(_OLD)
    engine.run_script(str(path), python2=True)
    out, err = capsys.readouterr()
    assert out == "a 1 True\n0.0 0.5 3.5 1\n" and path.read_text() == _OLD
    for what in ("print (line 4, 6, 7)", "xrange (line 5)", "has_key (line 4)", "check '/' on line 7:"):
        assert what in err
    with pytest.raises(InputError, match="old.py:4: this is Python 2: .*`deeplab run --python2` translates"):
        engine.run_script(str(path))
    path.write_text("import sys\nprint('new', file=sys.stderr)\n")
    assert cli.main(["run", "--python2", str(path)]) in (0, None)
    assert capsys.readouterr().err.endswith("nothing to translate from Python 2\nnew\n")
    path.write_text("import sys\n\ndef (\n")
    with pytest.raises(InputError, match="old.py:3: cannot be read as Python 2: check that it is a Python script"):
        engine.run_script(str(path), python2=True)
    path.write_bytes(b"# -*- coding: latin-1 -*-\nprint u'\xfc'\n")
    engine.run_script(str(path), python2=True)
    assert capsys.readouterr().out == "ü\n"
    for content in (b"\x89PNG\r\n\x1a\n\0\0\xff", b"{ layer: 1 }}"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"old.py:?\d?:? cannot be read as (a Python script|Python 2)"):
            engine.run_script(str(path), python2=True)


def test_translating_needs_fissix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fissix.refactor", None)  # type: ignore[arg-type]
    (tmp_path / "old.py").write_text("print 1\n")
    with pytest.raises(InputError, match="--python2 needs fissix, not installed here: pip install"):
        engine.run_script(str(tmp_path / "old.py"), python2=True)


# -- devices


def test_devices_of_an_installed_one(installed: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    real = engine.current()
    real.choose_device(None, wants_gpu=True, workers=1)
    assert "use --gpu N" in capsys.readouterr().err
    real.choose_device("1", wants_gpu=False, workers=1)
    assert installed.calls == ["set_mode_cpu()", "set_device(1,)", "set_mode_gpu()"]
    for gpu, workers, message in (
        ("0,1", 1, "expected one number"),
        ("all", 1, "expected one number"),
        (None, 2, "in one process"),
    ):
        with pytest.raises(InputError, match=message):
            real.choose_device(gpu, wants_gpu=False, workers=workers)


# -- nets


def test_layers_that_an_installed_one_lacks(installed: types.ModuleType, tmp_path: Path) -> None:
    def refusal(layer: str, allowed: bool = False) -> str:
        (tmp_path / "net.prototxt").write_text(f'\nlayer {{ name: "x" {layer} }}')
        with pytest.raises(InputError) as caught, engine.current().python_layers(allowed):
            engine.current().test_net(tmp_path / "net.prototxt", tmp_path / "none.caffemodel")
        return str(caught.value).replace(str(tmp_path), "")

    where = "/net.prototxt:2:1: layer 'x' "
    lacks = "the installed Caffe (/usr/lib/caffe/__init__.py) does not have this layer type"
    assert refusal('type: "Interp"') == f"{where}(Interp): {lacks}; write the nets with --dialect bvlc"
    assert refusal('type: "Own"') == f"{where}(Own): {lacks}"
    python = 'type: "Python" python_param { module: "mine" }'
    assert "(Python): would import the module 'mine'" in refusal(python)
    installed.layer_type_list = list  # type: ignore[attr-defined]
    assert refusal(python, allowed=True) == f"{where}(Python): {lacks}; build it with WITH_PYTHON_LAYER"


# -- training: the loop


class _Solver:
    """Counts what is asked of it."""

    net = types.SimpleNamespace(blobs={}, outputs=[])

    def __init__(self, interrupted_at: int = -1, number: int = signal.SIGINT) -> None:
        self.iter, self.calls, self.interrupted_at, self.number = 0, [], interrupted_at, number

    def step(self, count: int) -> None:
        self.calls.append(count)
        if self.iter <= self.interrupted_at < self.iter + count:
            os.kill(os.getpid(), self.number)
        self.iter += count

    def snapshot(self) -> None:
        self.calls.append("snapshot")

    def solve(self) -> None:
        self.calls.append("solve")


def _run(solver: _Solver, max_iter: int, display: int) -> None:
    param = schema.SolverParameter(max_iter=max_iter, display=display, lr_policy="fixed", snapshot_prefix="none/train")
    system._run(solver, param, engine.Watcher())


@pytest.mark.parametrize(
    ("max_iter", "display", "calls"),
    [
        (10, 4, [1, 4, 4, 1]),
        (9, 4, [1, 4, 4]),
        (3, 1, [1, 1, 1]),
        (45, 0, [1, 20, 20, 4]),
        (3, 100, [1, 2]),
        (0, 4, []),
    ],
)
def test_steps_end_behind_each_line_of_the_log(max_iter: int, display: int, calls: list[int]) -> None:
    solver = _Solver()
    _run(solver, max_iter, display)
    assert solver.calls == [*calls, "solve"]


def test_signals_are_served_between_steps() -> None:
    solver = _Solver(interrupted_at=6)
    with pytest.raises(Stopped, match="stopped at iteration 9 of 20; no snapshot was written yet; run the same"):
        _run(solver, 20, 4)
    assert solver.calls == [1, 4, 4, "snapshot"]
    solver = _Solver(interrupted_at=6, number=signal.SIGHUP)
    _run(solver, 13, 4)
    assert solver.calls == [1, 4, 4, "snapshot", 4, "solve"]


# -- what C++ writes


_WRITER = """
import os, sys
from pathlib import Path
from deeplab_caffe.engine.stderr_log import stderr_appended_to
with stderr_appended_to(Path("log/train.log"), SHOWS_ALL) as terminal:
    os.write(2, b"I0101 12:00:00.000000 1 x.cpp:1] Iteration 1\\n")
    os.write(2, b"E0101 12:00:00.000000 1 x.cpp:1] wrong\\n")
    print("to the terminal", file=terminal, flush=True)
    END
print("after", file=sys.stderr)
"""


@pytest.mark.parametrize(("end", "code"), [("pass", 0), ("os.abort()", -signal.SIGABRT), ("1 / 0", 1)])
def test_standard_error_is_kept_in_a_file(end: str, code: int, tmp_path: Path) -> None:
    """Also where the process is ended by C++; what was there before stays."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log/train.log").write_text("before\n")
    command = [sys.executable, "-c", _WRITER.replace("END", end).replace("SHOWS_ALL", "True")]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert process.returncode == code
    log = (tmp_path / "log/train.log").read_text()
    assert log.startswith("before\nI0101 12:00:00") and "] wrong\n" in log and "terminal" not in log
    assert "] Iteration 1\n" in process.stderr and "] wrong\n" in process.stderr and "to the terminal" in process.stderr
    assert ("after" in process.stderr) == (end == "pass") and "after" not in log


def test_the_loss_is_read_from_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pycaffe does not tell it; lines of an earlier run do not count, nor one that is not there yet as a whole."""
    monkeypatch.setattr("deeplab_caffe.engine.stderr_log._PATIENCE", 0.0)
    log = tmp_path / "train.log"
    log.write_text("I0101 12:00:00.000000 1 solver.cpp:228] Iteration 0, loss = 9\n")
    loss = LoggedLoss(log)
    assert math.isnan(loss.at(0))
    with log.open("a") as file:
        file.write("I0101 12:00:00.000000 1 solver.cpp:218] Iteration 0 (2 iter/s, 5s/10 iters), loss = 0.75\n")
        file.write("I0101 12:00:00.000000 1 solver.cpp:218] Iteration 10 (2 iter/s, 5s/10 iters), loss = 0.2")
    assert loss.at(0) == 0.75 and math.isnan(loss.at(10))
    with log.open("a") as file:
        file.write("5\n")
    assert loss.at(10) == 0.25


# -- the caffe program


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`programs(folder, *beside)`: a program named caffe in a folder on PATH, and others beside it."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "execv", lambda program, words: (_ for _ in ()).throw(SystemExit(f"{program} {words}")))

    def make(folder: str, *beside: str) -> Path:
        place = tmp_path / folder
        place.mkdir()
        for name in ("caffe", *beside):
            (place / name).write_text("#!/bin/sh\n")
            (place / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{place}")
        return place / "caffe"

    return make


def test_becoming_the_installed_program(programs: Callable[..., Path], installed: types.ModuleType) -> None:
    with pytest.raises(InputError, match="no installed program 'caffe' is on PATH"):
        engine.replace_by_installed("caffe", ["train"])
    programs("ours", "_run.py")  # a script of this project
    with pytest.raises(InputError, match="no installed program"):
        engine.replace_by_installed("caffe", ["train"])
    program = programs("bin", "extract_features")

    def became(*words: str) -> str:
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        return str(left.value)

    words = [str(program), "train", "--solver=s.prototxt", "--gpu=0"]
    assert became("caffe", "train", "-solver", "s.prototxt", "--gpu=0") == f"{program} {words}"
    program = program.with_name("extract_features")
    given = ["w.caffemodel", "net.prototxt", "fc8", "out", "10", "lmdb", "GPU", "DEVICE_ID=1"]
    assert became("extract_features", *given) == f"{program} {[str(program), *given]}"
