"""`caffe time`: how long each layer takes, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .. import log
from ..net.net import Net
from ..parallel.nccl import Timer
from .flags import Flags, use_one_device


def time(flags: Flags) -> None:
    """Run a net forward and backward, layer by layer, and log the average milliseconds of each layer.

    Every layer's turn in backward is timed, though layers that need none do nothing in theirs.
    """
    flags.require("time", "model")
    phase = flags.net_phase
    if flags.weights:
        flags.check_file("weights", flags.weights)
    with flags.in_force():
        use_one_device(flags, ("caffe.cpp:343", "caffe.cpp:347"))
        net = Net(flags.model, phase, flags.level, flags.stages, weights=flags.weights or None)
        try:
            _warm_up(net)
            _measure(net, flags.iterations)
        finally:
            net.close()


def _warm_up(net: Net) -> None:
    """One pass, which allocates the memory."""
    last = len(net.layers) - 1
    log.info("Performing Forward", "caffe.cpp:355")
    log.info(f"Initial loss: {log.number(float(net.forward_range(0, last)))}", "caffe.cpp:360")
    log.open_files()
    log.info("Performing Backward", "caffe.cpp:361")
    net.backward_range(last, 0)
    net.deferred_checks.finish()


def _measure(net: Net, iterations: int) -> None:
    count = len(net.layers)
    forward, backward = [0.0] * count, [0.0] * count
    log.info("*** Benchmark begins ***", "caffe.cpp:369")
    log.info(f"Testing for {iterations} iterations.", "caffe.cpp:370")
    whole = Timer()
    whole.start()
    for i in range(iterations):
        net.clear_param_diffs()
        before = sum(forward) + sum(backward)
        for layer in range(count):
            forward[layer] += _milliseconds(partial(net.forward_range, layer, layer))
        for layer in reversed(range(count)):
            backward[layer] += _milliseconds(partial(net.backward_range, layer, layer))
        passes = sum(forward) + sum(backward) - before
        log.info(f"Iteration: {i + 1} forward-backward time: {log.number(passes)} ms.", "caffe.cpp:398")
    total = whole.stop()
    _log_layers(net, [t / iterations for t in forward], [t / iterations for t in backward])
    log.info(f"Average Forward-Backward: {log.number(total / iterations)} ms.", "caffe.cpp:420")
    log.info(f"Total Time: {log.number(total)} ms.", "caffe.cpp:422")
    log.info("*** Benchmark ends ***", "caffe.cpp:423")


def _milliseconds(call: Callable[[], object]) -> float:
    timer = Timer()
    timer.start()
    call()
    return timer.stop()


def _log_layers(net: Net, forward: list[float], backward: list[float]) -> None:
    """The averages of each layer, and of the passes."""
    log.info("Average time per layer: ", "caffe.cpp:405")
    for name, there, back in zip((step.name for step in net.steps), forward, backward, strict=True):
        log.info(f"{name:>10}\tforward: {log.number(there)} ms.", "caffe.cpp:408")
        log.info(f"{name:>10}\tbackward: {log.number(back)} ms.", "caffe.cpp:411")
    log.info(f"Average Forward pass: {log.number(sum(forward))} ms.", "caffe.cpp:416")
    log.info(f"Average Backward pass: {log.number(sum(backward))} ms.", "caffe.cpp:418")
