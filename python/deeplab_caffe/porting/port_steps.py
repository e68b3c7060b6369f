"""What porting did, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What was done to get a layer's weights, and from which layer or layers."""

    layer: str
    source: str
    what: str
