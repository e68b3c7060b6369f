"""Whether torchrun has started this process, for those that do not compute."""

from __future__ import annotations

import os


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun (or a scheduler that sets its variables) has started."""
    return int(os.environ.get("WORLD_SIZE") or 1) > 1 and "RANK" in os.environ
