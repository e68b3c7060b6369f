"""What was found, counted by kind; of each kind the first examples are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .kinds import ERROR, KINDS, WARNING

#: examples that are kept of each kind
MOST = 100


class Finding(NamedTuple):
    """One example.

    Attributes:
        list_file: the list file and, unless it is about the whole list, the line: `train.txt:3`.
        text: what is wrong; names the file.
        file: the image or label, or "".
    """

    list_file: str
    text: str
    file: str = ""


@dataclass
class Findings:
    """Number of findings and the first examples, by kind.

    Example:
        >>> found = Findings()
        >>> found.add("grey", Finding("train.txt:1", "a.jpg: is grey", "a.jpg"))
        >>> found.count("warning"), found.count("error")
        (1, 0)
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Finding]] = field(default_factory=dict)

    def add(self, kind: str, finding: Finding) -> None:
        """Add a finding of a kind, a key of KINDS."""
        self.counts[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < MOST:
            kept.append(finding)

    def count(self, severity: str) -> int:
        """The number of findings of a severity."""
        return sum(number for kind, number in self.counts.items() if KINDS[kind].severity == severity)

    def kinds(self) -> Iterable[str]:
        """The kinds that were found, in the order of KINDS: errors, warnings, notes."""
        return (kind for kind in KINDS if self.counts[kind])

    def verdict(self) -> str:
        """One line: how many errors and warnings."""
        errors, warnings = self.count(ERROR), self.count(WARNING)
        if not errors and not warnings:
            return "no errors, no warnings"
        return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
