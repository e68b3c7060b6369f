"""Signals as requests, and log lines in glog's form."""

from __future__ import annotations

import io
import os
import re
import signal

import pytest

from deeplab_caffe.caffe import log
from deeplab_caffe.caffe.signals import Action, SignalHandler


def test_each_signal_asks_once_and_snapshots_come_first():
    before = signal.getsignal(signal.SIGINT)
    with SignalHandler() as handler:
        assert handler() is Action.NONE
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGHUP)
        assert [handler(), handler(), handler()] == [Action.SNAPSHOT, Action.STOP, Action.NONE]
    assert signal.getsignal(signal.SIGINT) is before


def test_effects_can_be_chosen():
    with SignalHandler(sigint=Action.NONE, sighup=Action.STOP) as handler:
        os.kill(os.getpid(), signal.SIGINT)
        assert handler() is Action.NONE
        os.kill(os.getpid(), signal.SIGHUP)
        assert handler() is Action.STOP


def test_a_second_interrupt_does_not_wait():
    with SignalHandler():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_asks_for_nothing_never_stops():
    for effect in (Action.NONE, Action.SNAPSHOT):
        with SignalHandler(sigint=effect) as handler:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            assert [handler(), handler()] == [effect, Action.NONE]


def test_where_no_iteration_ends_soon_an_interrupt_stops_at_once():
    with SignalHandler() as handler:
        with pytest.raises(KeyboardInterrupt), handler.stopping_at_once():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGINT)
        assert [handler(), handler()] == [Action.SNAPSHOT, Action.NONE]


def test_an_interrupt_is_answered(capfd):
    with SignalHandler():
        os.kill(os.getpid(), signal.SIGINT)
    assert "Ctrl-C again stops at once" in capfd.readouterr().err


def test_lines_have_glogs_prefix():
    stream = io.StringIO()
    log.add_file(stream)
    log.info("Iteration 20, loss = 1")
    log.remove_file(stream)
    log.info("not here")
    log.add_file(stream)
    log.warning("Iteration 20, loss = 2", "solver.cpp:228")  # 1.0-rc3's place; BVLC Caffe 1.0 has it ten lines before
    log.remove_file(stream)
    prefix = r"\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ "
    ours = rf"I{prefix}test_signals\.py:\d+\] Iteration 20, loss = 1\n"
    pattern = ours + rf"W{prefix}solver\.cpp:218\] Iteration 20, loss = 2\n"
    assert re.fullmatch(pattern, stream.getvalue())


def test_numbers_are_printed_as_by_cpp():
    numbers = [0.1, 1 / 3, 1e-5, 123456.7, 1234567.0, 2.0, float("inf")]
    assert [log.number(x) for x in numbers] == ["0.1", "0.333333", "1e-05", "123457", "1.23457e+06", "2", "inf"]
