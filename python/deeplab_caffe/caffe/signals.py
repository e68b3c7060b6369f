"""What Ctrl-C, a lost terminal and SIGTERM ask of a solver. Mirrors `signal_handler.cpp`."""

from __future__ import annotations

import enum
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from ..errors import Terminated


class Action(enum.Enum):
    """What a solver is asked to do at the end of an iteration."""

    NONE = "none"
    STOP = "stop"
    SNAPSHOT = "snapshot"


class SignalHandler:
    """While active, SIGINT, SIGHUP and SIGTERM are noted; calling it tells, once each, what they ask for.

    SIGHUP (default: snapshot) is served before SIGINT (default: stop) and SIGTERM, which always asks to stop. A second
    SIGINT or SIGTERM that asks to stop before the first was served raises KeyboardInterrupt or Terminated.
    """

    #: exit code of a program that what was noted has stopped: 143 if that was SIGTERM, else 130
    code = 130

    def __init__(self, sigint: Action = Action.STOP, sighup: Action = Action.SNAPSHOT) -> None:
        self.effects = {signal.SIGHUP: sighup, signal.SIGINT: sigint, signal.SIGTERM: Action.STOP}
        self._got: set[int] = set()
        self._before: dict[int, Any] = {}
        self._at_once = False

    def __enter__(self) -> SignalHandler:
        for number in self.effects:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def stopping_at_once(self) -> Iterator[None]:
        """Within, where no iteration ends soon, the first signal that asks to stop raises KeyboardInterrupt."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP and self.effects[signal.Signals(number)] is Action.STOP:
            self.code = 128 + number
            if self._at_once or number in self._got:
                raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
            again = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
            _say(f"stopping at the end of this iteration; {again} again stops at once, without a snapshot")
        self._got.add(number)

    def __call__(self) -> Action:
        for number, effect in self.effects.items():
            if number in self._got:
                self._got.discard(number)
                if effect is not Action.NONE:
                    return effect
        return Action.NONE


def _say(message: str) -> None:
    """A line on stderr, past Python's buffers: the signal may have come while they were being written."""
    try:
        os.write(sys.stderr.fileno(), f"\n{message}\n".encode())
    except (OSError, ValueError):  # closed, or no file at all
        return
