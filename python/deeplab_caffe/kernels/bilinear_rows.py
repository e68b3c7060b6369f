"""The compiled loop of resizing: rows of a map blended with the rows below."""

from __future__ import annotations

import numpy as np

from .kernel_cache import kernel


@kernel
def blend_rows(source, upper, lower, weight, out):
    """out[c, i] = (1 - weight[i]) source[c, upper[i]] + weight[i] source[c, lower[i]]."""
    for c in range(out.shape[0]):
        for i in range(out.shape[1]):
            w1 = weight[i]
            w0 = np.float32(1) - w1
            a, b, row = source[c, upper[i]], source[c, lower[i]], out[c, i]
            for j in range(row.size):
                row[j] = w0 * a[j] + w1 * b[j]
