"""How a training is shown while it runs: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque

from tqdm import tqdm

from ...engine import Beginning, Displayed, Tested, Watcher
from ...formats.accuracies import ACCURACIES
from ...progress import LiveLine, Part
from .accuracies import Accuracies

#: seconds between two plain lines
LINE_SECONDS = 10.0
#: seconds that the rate is measured over, and the shortest between two of its points
_RATE_SECONDS, _POINT_SECONDS = 60.0, 1.0

#: which accuracies are left out first on a narrow terminal
_RANKS = {"pixel_accuracy": 6, "mean_accuracy": 7, "mean_iou": 3}


class Progress(Watcher):
    """The live line, or plain lines.

    Args:
        what: the stage, such as "train".
        accuracies: finds those of the nets.
    """

    shows_log = False

    def __init__(self, what: str, accuracies: Accuracies) -> None:
        self._what, self._accuracies = what, accuracies
        self._shown: Displayed | None = None
        self._held_out: dict[str, float] = {}

    def begin(self, beginning: Beginning) -> None:
        self._total, self._images = beginning.total, beginning.images
        self._rate = _Rate(beginning.iteration)
        self._line = LiveLine(beginning.terminal, LINE_SECONDS)
        self._iteration = self._reached = beginning.iteration

    def reach(self, iteration: int) -> None:
        self._rate.reach(iteration)
        self._reached = iteration
        if self._line.is_live:
            self._iteration = iteration
            self._line.update(self._parts)

    def displayed(self, shown: Displayed) -> None:
        if shown.lr is None and self._shown:  # behind the last iteration only the loss is new
            shown = shown._replace(lr=self._shown.lr, outputs=self._shown.outputs)
        self._shown = shown
        self._iteration = max(self._iteration, shown.iteration)
        self._line.say(self._parts)

    def tested(self, tested: Tested) -> None:
        if tested.net == 0 and (found := self._accuracies.tested(tested)):
            self._held_out = found
            values = ", ".join(_percent(name, value) for name, value in found.items())
            self._line.note(f"{self._what}: tested at iteration {tested.iteration}: {values}")

    def end(self) -> None:
        news, self._iteration = self._reached > self._iteration, max(self._reached, self._iteration)
        self._line.end(self._parts, news)

    def _parts(self) -> list[Part]:
        """The parts of the line, with what is left out first on a narrow terminal."""
        parts = [Part(f"{self._what} {self._iteration}/{self._total}", 0)]
        if self._shown:
            accuracies = self._accuracies.of(self._shown)
            parts += [] if math.isnan(self._shown.loss) else [Part(f"loss {self._shown.loss:.4g}", 1)]
            parts += [Part(_percent(name, value), _RANKS[name]) for name, value in accuracies.items()]
        if "mean_iou" in self._held_out:
            parts.append(Part(f"held-out {_percent('mean_iou', self._held_out['mean_iou'])}", 4))
        if self._shown and self._shown.lr is not None:
            parts.append(Part(f"lr {self._shown.lr:.3g}", 8))
        return parts + self._speed()

    def _speed(self) -> list[Part]:
        rate, left = self._rate.per_second, self._total - self._iteration
        if not rate:
            return []
        speed = f"{self._images * rate:.1f} images/s" if self._images else f"{rate:.2f} iterations/s"
        return [Part(speed, 5), *([Part(f"{tqdm.format_interval(left / rate)} left", 2)] if left else [])]


def _percent(name: str, value: float) -> str:
    return f"{ACCURACIES[name]} {100 * value:.1f} %"


class _Rate:
    """Iterations per second over the last minute of this run."""

    def __init__(self, iteration: int) -> None:
        self._points = deque([(time.monotonic(), iteration)])
        self._last = self._points[0]

    def reach(self, iteration: int) -> None:
        self._last = now, _ = time.monotonic(), iteration
        if now - self._points[-1][0] >= _POINT_SECONDS:
            self._points.append(self._last)
            while now - self._points[0][0] > _RATE_SECONDS and len(self._points) > 2:
                self._points.popleft()

    @property
    def per_second(self) -> float:
        """0 before the first iteration is done."""
        (then, before), (now, iteration) = self._points[0], self._last
        return (iteration - before) / (now - then) if now > then else 0.0
