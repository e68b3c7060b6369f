"""Activation recomputation: what segments of layers computed is freed after forward and computed again in backward.

Chen, Xu, Zhang, Guestrin, Training Deep Nets with Sublinear Memory Cost, 2016: for about one more forward pass, memory
for the blobs between the segments and inside one of them, rather than for all.
"""

from .recomputation import Recomputation

__all__ = ["Recomputation"]
