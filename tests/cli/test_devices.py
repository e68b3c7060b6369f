"""The flags that say on how many devices `deeplab` computes."""

from __future__ import annotations

import pytest

from deeplab_caffe import cli


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gpu", "0", "--workers", "2"], "--workers is only for the CPU; with --gpu there is one worker per device"),
        (["--workers", "0"], "--workers 0: wanted 1 or more"),
        (["--gpu", "x"], "--gpu x: wanted the numbers of CUDA devices, such as 0 or 0,1, or all"),
    ],
)
def test_devices_that_cannot_be(words, message, tmp_path, capsys):
    assert cli.main(["train", "demo", "--exp", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


def test_torchrun_is_for_training(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert cli.main(["data", "demo", "--exp", str(tmp_path)]) == 2
    assert "the stage data runs in one; run it without torchrun" in capsys.readouterr().err
