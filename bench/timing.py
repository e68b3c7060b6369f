"""What the benchmarks share: tasks that take turns, medians, a table in Markdown."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def interleaved(
    tasks: Mapping[str, Callable[[], object]], repeat: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median milliseconds of each task; the tasks take turns, after one turn that is not counted.

    With `time.process_time` as clock the processor's time is measured, which other work on the machine disturbs less.
    """
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repeat + 1):
        for name, task in tasks.items():
            _finish()
            began = clock()
            task()
            _finish()
            if turn:
                times[name].append(1e3 * (clock() - began))
    return {name: statistics.median(values) for name, values in times.items()}


def _finish() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def add_arguments(parser: argparse.ArgumentParser, repeat: int) -> None:
    """--repeat, --threads, --clock and --device."""
    parser.add_argument("--repeat", type=int, default=repeat)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    clock = "on a machine with other work: the processor's time, best with --threads 1"
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help=clock)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")


def record(arguments: argparse.Namespace, title: str, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Write figures to the file of --json, if it was given: the title, the machine, and numbers by name."""
    if arguments.json:
        where = machine(arguments.threads, arguments.device)
        rows = {name: {key: float(value) for key, value in row.items()} for name, row in figures.items()}
        arguments.json.write_text(json.dumps({"title": title, "machine": where, "figures": rows}, indent=1) + "\n")


def print_peak(make: Callable[[], Callable[..., object]], *arguments: object) -> None:
    """For a process of its own: make something, call it three times, and print the megabytes that took at most."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _resident()
    task = make()
    for _ in range(3):
        task(*arguments)
    print(torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_initialized() else _resident() - before)


def peak(*child: str) -> str:
    """What `print_peak` says if this very command is run once more, with `--child` and these words."""
    command = [sys.executable, *sys.argv, "--child", *child]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return f"{float(lines[-1]):.0f}"


def _resident() -> float:
    """Megabytes that this process had resident at most; on Linux not those of the one that started it."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1e3 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [_line(head, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    return "\n".join(lines + [_line(row, widths) for row in rows])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"


def machine(threads: int, device: str) -> str:
    """One line on what computes."""
    if device != "cpu":
        return f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}"
    return f"{threads} threads of {_processor()}, PyTorch {torch.__version__}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else "an unknown processor"
