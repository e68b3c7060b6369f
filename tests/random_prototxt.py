"""Random prototxt as people might write it: any layout, separators, comments and variables in every place."""

from __future__ import annotations

import numpy as np

_SPACES = [" ", "  ", "\t", "\n", "\n\n", "\n\n\n  ", "\r\n", " # a comment\n", "\n# one\n\n# two\n", "\t#\n"]
_STRINGS = ['"data"', "'conv1'", '"a \\"b\\""', "'it\\'s'", '"${EXP}/list"', '"\\303\\251"', '"é"', '"a" \'b\'', '""']
_STRINGS += ['"#"']
_WORDS = ["1", "-2.5", "1e-5", "0x10", "true", "MAX", "${N}", "1${N}", ".5", "inf"]
_NAMES = ["layer", "name", "type", "bottom", "param", "convolution_param", "include", "lr_mult", "${F}", "_x1"]


class Writer:
    """Writes fields at random; what it wrote is known by nobody but the parser."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def pick(self, choices: list[str]) -> str:
        return choices[int(self.random.integers(len(choices)))]

    def space(self) -> str:
        """At least one blank or comment."""
        return " " + self.pick(_SPACES) if self.random.random() < 0.6 else " "

    def fields(self, depth: int) -> str:
        count = int(self.random.integers(0, 5 if depth else 12))
        return "".join(self.space() + self.field(depth) + self.pick(["", ",", ";", ""]) for _ in range(count))

    def field(self, depth: int) -> str:
        kind = self.random.random()
        if kind < 0.05:
            return "${MORE}" + self.space()
        name = self.pick(_NAMES)
        if kind < 0.35 and depth < 4:
            opening, closing = self.pick(["{}", "<>"])
            colon = self.pick(["", ":"])
            return f"{name}{self.space()}{colon}{self.space()}{opening}{self.fields(depth + 1)}{self.space()}{closing}"
        if kind < 0.45:
            items = f"{self.space()},{self.space()}".join(self.value() for _ in range(int(self.random.integers(0, 4))))
            return f"{name}:{self.space()}[{self.space()}{items}{self.space()}]"
        return f"{name}{self.space()}:{self.space()}{self.value()}"

    def value(self) -> str:
        return self.pick(_STRINGS + _WORDS)


def random_prototxt(seed: int) -> str:
    """A text that the parser reads."""
    writer = Writer(seed)
    return writer.fields(0) + writer.space()
