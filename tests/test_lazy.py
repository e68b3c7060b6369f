"""Names of packages are imported on first use: whole, once, and without what the caller does not need."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import typing
from importlib import import_module
from pathlib import Path

import pytest

import deeplab_caffe
from deeplab_caffe.cli.command_table import COMMANDS
from deeplab_caffe.formats import schema

SOURCES = Path(deeplab_caffe.__file__).parent
LAZY = sorted(
    ".".join(["deeplab_caffe", *path.parent.relative_to(SOURCES).parts])
    for path in SOURCES.rglob("__init__.py")
    if "\nimport_on_use(__name__)" in path.read_text(encoding="utf-8")
)
HEAVY = ("torch", "numba", "cv2", "scipy", "matplotlib", "h5py", "onnx")


@pytest.mark.parametrize("name", ["crf", "data", "evaluation", "inference", "nets"])
def test_annotations_of_functions_can_be_looked_up(name: str) -> None:
    package = import_module(f"deeplab_caffe.{name}")
    known = [getattr(package, word) for word in package.__all__ if word != "chart"]  # a figure of matplotlib
    functions = [thing for thing in known if inspect.isfunction(thing)]
    assert functions
    for function in functions:
        assert "return" in typing.get_type_hints(function), function


@pytest.mark.parametrize("name", LAZY)
def test_a_package_has_the_names_that_it_promises(name: str) -> None:
    package = import_module(name)
    for word in package.__all__:
        assert word in dir(package)
        assert getattr(package, word) is getattr(package, word)


def test_a_function_with_the_name_of_its_module_is_the_function() -> None:
    code = (
        "import deeplab_caffe.nets.generate\n"
        "from deeplab_caffe import nets\n"
        "from deeplab_caffe.nets.generate import generate\n"
        "assert nets.generate is generate is deeplab_caffe.nets.generate"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_names_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    from deeplab_caffe import nets

    before = nets.generate
    with monkeypatch.context() as patch:
        patch.setattr("deeplab_caffe.nets.generate", len)
        assert nets.generate is len
    assert nets.generate is before


def test_an_unknown_name_is_said_with_its_package() -> None:
    with pytest.raises(AttributeError, match=r"module 'deeplab_caffe\.caffe' has no attribute 'Nett'"):
        import_module("deeplab_caffe.caffe").Nett  # noqa: B018
    with pytest.raises(ImportError, match="Nett"):
        exec("from deeplab_caffe.caffe import Nett", {})


def test_pycaffes_module_has_all_of_its_names_and_registers_layers_without_pytorch_until_used() -> None:
    code = (
        "import sys, deeplab_caffe.caffe as caffe\n"
        "assert 'torch' not in sys.modules\n"
        "assert caffe.layers.ReLU and caffe.TRAIN == 0 and 'torch' not in sys.modules\n"
        "assert 'Convolution' in caffe.layer_type_list() and 'torch' in sys.modules\n"
        "space = {}\n"
        "exec('from deeplab_caffe.caffe import *', space)\n"
        "assert {'Net', 'io', 'layers', 'SGDSolver'} <= space.keys()"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


#: commands that compute nothing; `{net}` is a prototxt, `{weights}` a caffemodel, `{log}` the log of a training
CHEAP = (
    "",
    "--help",
    "--version",
    "unknown",
    "list",
    "help train",
    "train --wrong-flag",
    "prototxt upgrade {net}",
    "prototxt format {net}",
    "prototxt lint --no-shapes {net}",
    "prototxt diff {net} {net}",
    "prototxt voc12/largefov",
    "weights show {weights}",
    "weights diff {weights} {weights}",
    "log {log}",
    "completion bash",
)
HELPS = tuple(f"{name} --help" for name in COMMANDS)
#: commands that need the shapes of a net, and so PyTorch, but no other library that computes
SHAPES = (
    "prototxt lint {net}",
    "prototxt inspect {net}",
    "prototxt view {net} -o {page}",
    "weights check {weights} {net}",
)
NET = """\
name: "n"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "out" }
"""
_RUN = """
import contextlib, io, json, sys
from deeplab_caffe.cli.main import main

for words in json.load(sys.stdin):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(words)
        assert code == 0 or not words or words[0] in ("unknown", "prototxt", "weights"), (words, code)
    found = sorted(set(sys.argv[1:]) & set(sys.modules))
    assert not found, (words, found)
"""


def test_commands_import_no_library_that_computes_what_they_do_not_need(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(NET)
    weights, log = tmp_path / "w.caffemodel", tmp_path / "train.log"
    content = schema.NetParameter()
    content.layer.add(name="fc", type="InnerProduct").blobs.add(data=[1.0, 2.0]).shape.dim.extend([2])
    weights.write_bytes(content.SerializeToString())
    log.write_text("I0101 00:00:00.000000 1 solver.cpp:228] Iteration 0, loss = 1.5\n")
    places = {"net": net, "weights": weights, "log": log, "page": tmp_path / "view.html"}
    for lines, heavy in (((*CHEAP, *HELPS), HEAVY), (SHAPES, set(HEAVY) - {"torch"})):
        calls = [line.format(**places).split() for line in lines]
        command = [sys.executable, "-c", _RUN, *heavy]
        done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
