"""The matrices of Winograd's minimal filtering F(m, 3) (Lavin and Gray 2016; Toom–Cook with points of our choice).

m outputs of a 3-tap filter from n = m + 2 inputs, in n products: A^T [(G g) * (B^T d)]. Rows of B^T and G and columns
of A^T that belong to points p and -p have the same even and the same odd part. So each matrix is a product of two with
fewer terms, one of which only adds and subtracts such pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: where polynomials are evaluated, besides infinity. With 0, ±1, ±2 rounding errors of F(4, 3) are four times larger
POINTS = {2: (0.0, 1.0, -1.0), 3: (0.0, 0.75, -0.75, 1.5), 4: (0.0, 0.75, -0.75, 1.5, -1.5)}

Factors = tuple[NDArray[np.float64], NDArray[np.float64]]


class Matrices(NamedTuple):
    """A^T (m, n), G (n, 3) and B^T (n, n), each as two factors; the second is applied first."""

    output: Factors
    weight: Factors
    input: Factors


def matrices(m: int) -> Matrices:
    """The matrices of F(m, 3)."""
    points = POINTS[m]
    n = m + 2
    output, weight, inputs = np.zeros((m, n)), np.zeros((n, 3)), np.zeros((n, n))
    for i, point in enumerate(points):
        others = [other for j, other in enumerate(points) if j != i]
        output[:, i] = point ** np.arange(m)
        weight[i] = point ** np.arange(3) / np.prod([point - other for other in others])
        inputs[i, : n - 1] = np.poly(others)[::-1]
    output[m - 1, n - 1] = weight[n - 1, 2] = 1
    inputs[n - 1] = np.poly(points)[::-1]
    pairs = _pairs(points)
    unpaired = np.linalg.inv(pairs)
    return Matrices((output @ unpaired, pairs), (pairs, unpaired @ weight), (pairs, unpaired @ inputs))


def _pairs(points: tuple[float, ...]) -> NDArray[np.float64]:
    """(n, n): from the even and the odd part of two points to their sum and difference; other points stay."""
    found = np.eye(len(points) + 1)
    for i, point in enumerate(points):
        if point > 0 and -point in points:
            j = points.index(-point)
            found[i, j], found[j, i], found[j, j] = 1, 1, -1
    return found
