# Training with a data layer and a loss that are written in Python (pyloss.py lies beside this script).
import sys
import tempfile

import caffe
import numpy as np


def python_net_file():
    with tempfile.NamedTemporaryFile(mode="w+", suffix=".prototxt", dir=sys.argv[1], delete=False) as f:
        f.write("""name: 'pythonnet' force_backward: true
        layer { type: 'Python' name: 'data' top: 'x' top: 'y'
          python_param { module: 'pyloss' layer: 'LineDataLayer' param_str: '{"batch": 8, "seed": 4}' } }
        layer { type: 'InnerProduct' name: 'ip' bottom: 'x' top: 'ip' inner_product_param { num_output: 1 } }
        layer { type: 'Python' name: 'loss' top: 'loss' bottom: 'ip' bottom: 'y'
          python_param { module: 'pyloss' layer: 'EuclideanLossLayer' } loss_weight: 1 }""")
        return f.name


def solver_file(net):
    with tempfile.NamedTemporaryFile(mode="w+", suffix=".prototxt", dir=sys.argv[1], delete=False) as f:
        f.write("""net: '%s' base_lr: 0.5 lr_policy: 'fixed' momentum: 0.5 max_iter: 60 display: 0
        snapshot_after_train: false""" % net)
        return f.name


if __name__ == "__main__":
    solver = caffe.SGDSolver(solver_file(python_net_file()))
    assert [l.type for l in solver.net.layers] == ["Python", "InnerProduct", "Python"]
    solver.step(1)
    x, y = solver.net.blobs["x"].data, solver.net.blobs["y"].data
    assert np.allclose(solver.net.blobs["loss"].data, np.sum(y**2) / 8 / 2)
    assert np.allclose(solver.net.params["ip"][0].diff, 0.5 * -(x * y).sum() / 8)
    solver.solve()
    w, b = (p.data.flat[0] for p in solver.net.params["ip"])
    assert solver.iter == 60
    assert abs(w - 3) < 1e-3 and abs(b - 1) < 1e-3, (w, b)
