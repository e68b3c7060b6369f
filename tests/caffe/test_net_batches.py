"""pycaffe's helpers around Net: any number of items, callbacks, and weights in HDF5."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from deeplab_caffe.errors import InputError

_NET = """
force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" }
  inner_product_param { num_output: 2 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "y" top: "z" param { name: "w" }
  inner_product_param { num_output: 2 bias_term: false } }
"""


@pytest.fixture
def chain(net):
    built = net(_NET)
    built.params["a"][0].data[...] = [[1, 1], [0, 1]]
    return built


@pytest.mark.parametrize("count", [1, 3, 7])
def test_forward_all_over_any_number_of_items(chain, count):
    x = np.arange(2 * count, dtype=float).reshape(count, 2)
    out = chain.forward_all(blobs=["y"], x=x)
    assert set(out) == {"y", "z"}
    np.testing.assert_array_equal(out["y"], x @ [[1, 0], [1, 1]])
    np.testing.assert_array_equal(out["z"], x @ [[1, 0], [2, 1]])
    chain.forward(x=np.zeros((3, 2)))
    assert np.abs(out["z"]).max() > 0  # the results are copies


def test_forward_backward_all(chain):
    x, dz = np.ones((5, 2)), np.arange(10.0).reshape(5, 2)
    blobs, diffs = chain.forward_backward_all(diffs=["y"], x=x, z=dz)
    np.testing.assert_array_equal(blobs["z"], x @ [[1, 0], [2, 1]])
    np.testing.assert_array_equal(diffs["y"], dz @ [[1, 1], [0, 1]])
    np.testing.assert_array_equal(diffs["x"], dz @ [[1, 2], [0, 1]])


def test_callbacks_get_the_index_of_each_layer(chain):
    seen = []
    chain.before_forward(lambda i: seen.append(("before", i)))
    chain.after_forward(lambda i: seen.append(("after", i)))
    chain.after_backward(lambda i: seen.append(("back", i)))
    chain.forward(end="a")
    chain.forward()
    chain.backward()
    assert seen[:4] == [("before", 0), ("after", 0), ("before", 1), ("after", 1)]
    assert [i for what, i in seen if what == "back"] == [2, 1, 0]


def test_hdf5_round_trip_leaves_shared_parameters_out(chain, net, tmp_path):
    path = tmp_path / "w.caffemodel.h5"
    chain.save_hdf5(str(path))
    with h5py.File(path) as file:
        assert {name: list(group) for name, group in file["data"].items()} == {"in": [], "a": ["0"], "b": []}
        assert file["data/a/0"].dtype == np.float32
    for load in ("load_hdf5", "copy_from"):
        other = net(_NET)
        getattr(other, load)(str(path))
        assert other.params["b"][0].data.tolist() == [[1, 1], [0, 1]]
    apart = net(_NET.replace('bottom: "y" top: "z" param { name: "w" }', 'bottom: "y" top: "z"'))
    with pytest.raises(InputError, match=r"layer 'b' .*has no blob 0 for it"):
        apart.load_hdf5(str(path))


def test_hdf5_that_does_not_fit_changes_nothing(chain, net, tmp_path):
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["data/a/0"] = np.zeros((2, 2))
        file["data/b/0"] = np.zeros((3, 2))
    with pytest.raises(InputError, match=r"layer 'b' .*shape \(3, 2\) for blob 0, the net \(2, 2\)"):
        chain.copy_from(path)
    assert chain.params["a"][0].data.tolist() == [[1, 1], [0, 1]]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=r"w\.h5: damaged or not a \.caffemodel\.h5"):
        chain.load_hdf5(str(path))
    slashed = net(_NET.replace('name: "b"', 'name: "fc8/voc"'))
    with pytest.raises(InputError, match=r"layer 'fc8/voc': HDF5 does not support '/' in names"):
        slashed.save_hdf5(str(tmp_path / "s.h5"))
    assert not (tmp_path / "s.h5").exists()
