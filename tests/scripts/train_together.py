"""Two solvers in two processes, as BVLC's train.py has them on two GPUs."""
import os
import sys
from multiprocessing import get_context

import numpy as np

import caffe

NET = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "list.txt" batch_size: %d } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = 'net: "%s.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 3 snapshot_prefix: "%s"'


def write_files():
    import h5py

    random = np.random.RandomState(0)
    with h5py.File('rows.h5', 'w') as f:
        f['data'] = random.rand(12, 5)
        f['label'] = random.randint(3, size=12)
    with open('list.txt', 'w') as f:
        f.write('rows.h5\n')
    for name, batch in (('alone', 4), ('together', 2)):
        with open(name + '.prototxt', 'w') as f:
            f.write(NET % batch)
        with open(name + '_solver.prototxt', 'w') as f:
            f.write(SOLVER % (name, name))


def solve(proto, count, uid, rank):
    caffe.set_mode_cpu()
    caffe.set_solver_count(count)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)

    solver = caffe.SGDSolver(proto)
    solver.net.copy_from('start.caffemodel')
    if rank > 0:
        solver.net.params['ip'][0].data[...] = rank  # the root's weights are what counts

    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)

    solver.step(solver.param.max_iter)
    if rank == 0:
        solver.net.save('together.caffemodel')


if __name__ == '__main__':
    os.chdir(sys.argv[1])
    write_files()
    alone = caffe.SGDSolver('alone_solver.prototxt')
    alone.net.save('start.caffemodel')
    alone.step(3)

    # without CUDA has_nccl() is False, and gloo averages
    uid = caffe.NCCL.new_uid()
    procs = [get_context('fork').Process(target=solve, args=('together_solver.prototxt', 2, uid, rank)) for rank in range(2)]
    for p in procs:
        p.daemon = True
        p.start()
    for p in procs:
        p.join()
    assert [p.exitcode for p in procs] == [0, 0]

    together = caffe.Net('alone.prototxt', 'together.caffemodel', caffe.TRAIN)
    for ours, theirs in zip(together.params['ip'], alone.net.params['ip']):
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-5, atol=1e-6)
