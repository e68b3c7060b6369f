"""The `caffe` command: train, test, time, device_query, and DeepLab v1's save. Mirrors `tools/caffe.cpp`.

Each function takes the flags as the command line states them, and logs Caffe's lines.
"""

from __future__ import annotations

from .flags import Flags
from .query import device_query
from .save import save
from .test import test
from .time import time
from .train import train

__all__ = ["Flags", "device_query", "save", "test", "time", "train"]
