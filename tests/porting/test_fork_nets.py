"""Random nets of forks' layer types: both exports, the planned execution, gradients, and back from ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fork_nets import fork_net
from random_nets import randomised

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.porting.export.graph import graph_of
from deeplab_caffe.porting.export.runners import onnx_runner, torch_module, torch_runner
from deeplab_caffe.porting.export.torch_source import TorchSource
from deeplab_caffe.porting.export.verification import verify

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("seed", range(8))
def test_a_random_net_is_the_same_everywhere(tmp_path: Path, seed: int) -> None:
    from deeplab_caffe.porting.export.onnx_model import net_model
    from deeplab_caffe.porting.onnx_import import import_onnx
    from deeplab_caffe.porting.onnx_import.verification import verify_import

    (tmp_path / "net.prototxt").write_text("force_backward: true\n" + fork_net(seed))
    net = randomised(caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST))
    x = np.random.default_rng(seed).normal(0, 1, net.blobs["data"].shape).astype(np.float32)
    graph = graph_of(net)
    source = TorchSource(graph, list(graph.values))
    onnx = net_model(graph, list(graph.values)).SerializeToString()
    for runner in (torch_runner(source.text, source.class_name, source.state), onnx_runner(onnx)):
        result = verify(net, runner, lambda name, shape: x, 2e-5, [(12, 12)])
        assert result.passed, str(result)

    net.blobs["data"].data[...] = x
    wanted = {name: values.copy() for name, values in net.forward().items()}
    for name, values in net.plan().forward().items():
        np.testing.assert_allclose(values, wanted[name], rtol=1e-4, atol=1e-4 * abs(wanted[name]).max())

    top = list(wanted)[-1]
    diff = np.random.default_rng(seed + 1).normal(0, 1, wanted[top].shape)
    net.forward()
    net.blobs[top].diff[...] = diff
    net.backward()
    module = torch_module(source.text, source.class_name, source.state).double()
    image = torch.from_numpy(x).double().requires_grad_(True)
    (module(data=image)[top] * torch.from_numpy(diff)).sum().backward()
    gradient = image.grad.numpy()  # type: ignore[union-attr]
    np.testing.assert_allclose(net.blobs["data"].diff, gradient, rtol=0, atol=1e-4 * abs(gradient).max())

    try:
        back = import_onnx(net_model(graph, dynamic=False), allow_forks=True)
    except InputError as error:
        assert "counterpart" in str(error) or "refuse" in str(error), error
    else:
        assert verify_import(back).passed
