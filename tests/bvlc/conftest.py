"""What the tests of the shipped Python layers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _quiet_and_seeded() -> Iterator[None]:
    caffe.set_mode_cpu()
    caffe.set_random_seed(1)
    log.set_stderr(False)
    yield
    log.set_stderr(True)
