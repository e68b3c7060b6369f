"""Scripts written for pycaffe run unchanged on the embedded Caffe; each asserts its own results."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import deeplab_caffe
from deeplab_caffe import cli
from deeplab_caffe.caffe import log

_SCRIPTS = Path(__file__).parent / "scripts"
_RUNNABLE = sorted(path.stem for path in _SCRIPTS.glob("*.py") if path.stem != "pyloss")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Scripts change folder, modules and log; none of it may reach another test."""
    monkeypatch.chdir(os.getcwd())
    modules, finders = dict(sys.modules), list(sys.meta_path)
    log.set_stderr(False)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - set(modules):
        if name == "pyloss" or name.split(".")[0] == "caffe":
            del sys.modules[name]
    log.init_log(details=False)


@pytest.mark.parametrize("name", _RUNNABLE)
def test_a_script_runs(name, tmp_path):
    before = sys.argv, list(sys.path)
    assert cli.main(["run", str(_SCRIPTS / f"{name}.py"), str(tmp_path)]) == 0
    assert (sys.argv, sys.path) == before


def _script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "script.py"
    path.write_text(text)
    return str(path)


def test_a_script_is_main_and_gets_its_arguments(tmp_path, capsys):
    path = _script(tmp_path, "import sys\nassert __name__ == '__main__'\nprint(sys.argv[1:], sys.path[0])\n")
    assert cli.main(["run", path, "--gpu", "0", "-x", "a b"]) == 0
    assert capsys.readouterr().out == f"['--gpu', '0', '-x', 'a b'] {tmp_path}\n"


def test_exit_codes_and_tracebacks_are_the_scripts_own(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", _script(tmp_path, "import sys\nsys.exit(7)\n")])
    assert exit_.value.code == 7
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", _script(tmp_path, "import caffe\ncaffe.Net('nowhere.prototxt', caffe.TEST)\n")])
    assert exit_.value.code == 1
    shown = capsys.readouterr().err
    assert 'script.py", line 2' in shown and "Could not open file nowhere.prototxt" in shown


def test_a_script_that_is_not_there(tmp_path, capsys):
    assert cli.main(["run", str(tmp_path / "no.py")]) == 2
    assert "no.py: the script does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('print "done"', "the statement print; Python 3 has print(…)"),
        ("try: pass\nexcept Exception, e: pass", "except E, name; Python 3 has except E as name"),
        ("raise ValueError, 'no'", "raise E, text; Python 3 has raise E(text)"),
        ("1 <> 2", "the operator <>; Python 3 has !="),
        ("open('x', 0644)", "an octal number such as 0755; Python 3 has 0o755"),
        ("x = 10L", "a long number such as 1L; Python 3 has 1"),
        ("for i in xrange(3): pass", "xrange; Python 3 has range"),
        ("import cPickle", "cPickle; Python 3 has pickle"),
        ("{}.has_key(1)", "has_key; Python 3 has in"),
    ],
)
def test_what_is_python_2_is_said_in_one_line(tmp_path, capsys, code, said):
    script = _script(tmp_path, f"import caffe\n{code}\n")
    assert cli.main(["run", script]) == 2
    line = 2 + code.count("\n")
    expected = f"deeplab: error: {script}:{line}: this is Python 2: {said}. `deeplab run --python2` translates"
    assert capsys.readouterr().err.startswith(expected)


def test_a_script_that_is_not_python_3(tmp_path, capsys):
    (tmp_path / "binary.py").write_bytes(b"\0\x93NUMPY")
    assert cli.main(["run", str(tmp_path / "binary.py")]) == 2
    assert "binary.py: not a Python 3 script" in capsys.readouterr().err


def test_every_module_of_pycaffe_can_be_imported(tmp_path):
    deeplab_caffe.install_as_caffe()
    names = ("io", "draw", "net_spec", "classifier", "detector", "pycaffe", "proto.caffe_pb2", "coord_map")
    for name in names:
        exec(f"import caffe.{name}\nassert caffe.{name} is __import__('sys').modules['caffe.{name}']")
    import caffe

    assert caffe.__name__ == "deeplab_caffe.caffe"
    assert caffe.pycaffe.Net is caffe.Net
    with pytest.raises(ModuleNotFoundError, match=r"the embedded Caffe has no module 'caffe\.layers'"):
        exec("import caffe.layers")
    assert caffe.layers.ReLU  # the net_spec language


def test_the_command_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, "-m", "deeplab_caffe.cli", "run", str(_SCRIPTS / "python_layers.py"), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
