"""A fresh process for bench/crf.py: `start <clock>` prints seconds, `memory <backend>` megabytes (Linux only)."""

from __future__ import annotations

import sys
import time


def main() -> None:
    kind, argument = sys.argv[1:]
    print(start(argument) if kind == "start" else memory(argument))


def start(clock: str) -> float:
    """Seconds for the import and the first labels."""
    import numpy as np

    image, unary = np.zeros((375, 500, 3), np.uint8), np.random.default_rng(0).random((21, 375, 500), np.float32)
    now = time.process_time if clock == "process_time" else time.perf_counter
    began = now()
    from deeplab_caffe.crf import CRFParameters, crf_labels

    crf_labels(image, unary, CRFParameters(4, 60, 5))
    return now() - began


def memory(backend: str) -> float:
    """Megabytes of the peak with one image above what the process held with a small one."""
    from crf_scenes import scenes, unary_of
    from deeplab_caffe.crf import CRFParameters, crf_labels

    image = next(iter(scenes([]).values()))
    unary = unary_of(image)
    crf_labels(image[:20, :20], unary[:, :20, :20], CRFParameters(4, 60, 5), backend)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # the peak begins anew
    held = _status("VmRSS")
    crf_labels(image, unary, CRFParameters(4, 60, 5), backend)
    return _status("VmHWM") - held


def _status(name: str) -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name))


if __name__ == "__main__":
    main()
