"""What Ctrl-C and a lost terminal ask of a solver. Mirrors `signal_handler.cpp`."""

from __future__ import annotations

import enum
import signal
from types import FrameType, TracebackType
from typing import Any


class Action(enum.Enum):
    """What a solver is asked to do at the end of an iteration."""

    NONE = "none"
    STOP = "stop"
    SNAPSHOT = "snapshot"


class SignalHandler:
    """While active, SIGINT and SIGHUP are noted; calling it tells, once each, what they ask for.

    SIGHUP (default: snapshot) is served before SIGINT (default: stop). A second SIGINT before the first was served
    ends the program at once.
    """

    def __init__(self, sigint: Action = Action.STOP, sighup: Action = Action.SNAPSHOT) -> None:
        self.effects = {signal.SIGHUP: sighup, signal.SIGINT: sigint}
        self._got: set[int] = set()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> SignalHandler:
        for number in self.effects:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in self._got:
            raise KeyboardInterrupt
        self._got.add(number)

    def __call__(self) -> Action:
        for number, effect in self.effects.items():
            if number in self._got:
                self._got.discard(number)
                if effect is not Action.NONE:
                    return effect
        return Action.NONE
