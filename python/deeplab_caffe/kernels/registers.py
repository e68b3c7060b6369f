"""The widest vectors of the processor that loops are compiled for, and how products use its registers."""

from __future__ import annotations

import platform

from llvmlite.binding import get_host_cpu_name
from numba.core import config
from numba.core.codegen import get_host_cpu_features


def _features() -> str:
    """What numba compiles for: the host, unless NUMBA_CPU_NAME or NUMBA_CPU_FEATURES say another processor."""
    if config.CPU_FEATURES is not None:
        return str(config.CPU_FEATURES)
    return "" if config.CPU_NAME == "generic" else str(get_host_cpu_features())


def _registers() -> tuple[int, int, int]:
    """Lanes of a vector; rows and vectors in a row of the sums that a product keeps in registers.

    Beside rows × vectors sums, one row's vectors of weights and one value in all lanes must fit.
    """
    features = _features().split(",")
    if "+avx512f" in features:
        return 16, 12, 2  # 32 registers
    if "+avx2" in features and "+fma" in features:
        return 8, 6, 2  # 16 registers
    return (4, 6, 4) if platform.machine() in ("arm64", "aarch64") else (4, 6, 2)  # 32; 16


#: what is compiled for
PROCESSOR = f"{config.CPU_NAME or get_host_cpu_name()} {_features()}"
LANES, ROWS, VECTORS = _registers()
#: outputs that are computed together, the width of a panel of weights
PANEL = LANES * VECTORS
