"""`caffe save`, of DeepLab v1's Caffe: load weights into a net and write them out."""

from __future__ import annotations

from ...errors import InputError
from ...formats import schema
from .. import log
from ..net.net import Net
from .flags import Flags


def save(flags: Flags) -> None:
    """Write the layers of --model with the values of --weights to --out_weights (HDF5 if its name ends in .h5).

    Raises InputError where a file is missing, or does not fit the net.
    """
    flags.require("save", "model", "weights")
    if not flags.out_weights:
        raise InputError("caffe save requires --out_weights=FILE")
    with flags.in_force():
        net = Net(flags.model, schema.TEST, flags.level, flags.stages, weights=flags.weights)
        write = net.save_hdf5 if flags.out_weights.endswith(".h5") else net.save
        write(flags.out_weights)
        log.info(f"Weights written to {flags.out_weights}")
