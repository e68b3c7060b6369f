"""Names for types of arrays and sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
#: (height, width) in pixels
Size = tuple[int, int]
