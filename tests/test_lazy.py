"""Names of packages are imported on first use: whole, once, and without what the caller does not need."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import deeplab_caffe

SOURCES = Path(deeplab_caffe.__file__).parent
LAZY = sorted(
    ".".join(["deeplab_caffe", *path.parent.relative_to(SOURCES).parts])
    for path in SOURCES.rglob("__init__.py")
    if "\nimport_on_use(__name__)" in path.read_text(encoding="utf-8")
)
HEAVY = ("torch", "numba", "cv2", "scipy", "matplotlib", "h5py", "onnx")


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
