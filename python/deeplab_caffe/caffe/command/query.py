"""`caffe device_query`: what is known of the CUDA devices."""

from __future__ import annotations

import torch

from .. import log, parallel
from .flags import Flags


def device_query(flags: Flags) -> None:
    """Log what PyTorch knows of the devices that --gpu names; InputError for one that does not exist."""
    with flags.in_force():
        log.info(f"Querying GPUs {flags.gpu}", "caffe.cpp:138")
        devices = parallel.devices(flags.gpu) if flags.gpu else []
        for device in devices:
            _log_device(device)
        if not devices:
            count = torch.cuda.device_count()
            log.info(f"PyTorch sees {count} CUDA device{'' if count == 1 else 's'} here; --gpu=all shows all")


def _log_device(device: torch.device) -> None:
    p = torch.cuda.get_device_properties(device)
    rows = [
        ("Device id", device.index),
        ("Major revision number", p.major),
        ("Minor revision number", p.minor),
        ("Name", p.name),
        ("Total global memory", p.total_memory),
        ("Warp size", getattr(p, "warp_size", "unknown")),
        ("Number of multiprocessors", p.multi_processor_count),
    ]
    for name, value in rows:
        log.info(f"{name + ':':<31}{value}", "common.cpp:200")
