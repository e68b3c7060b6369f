"""What lint finds, and the table of its rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import InputError
from ...formats.edits import Edits
from ...formats.prototxt import Document
from ...spelling import did_you_mean

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
#: changes the document so that the finding is gone
Fix = Callable[[Edits], None]


class Offer(NamedTuple):
    """A change that would remove a finding, where a person has to decide whether it is the right one."""

    title: str
    fix: Fix


class Hit(NamedTuple):
    """What a rule has found: where in a document, in which layer, what is wrong, what to do, and how to fix it.

    `fix` is safe to apply unasked (`--fix`); an editor offers both it and the `offers`.
    """

    document: Document
    offset: int
    layer: str
    message: str
    advice: str
    fix: Fix | None = None
    offers: tuple[Offer, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A hit with its rule and place; `layer` is "fc6 (Convolution)", or "" outside of layers."""

    rule: str
    severity: str
    file: str
    line: int
    column: int
    layer: str
    message: str
    advice: str
    fix: Fix | None = field(default=None, compare=False, repr=False)
    offers: tuple[Offer, ...] = field(default=(), compare=False, repr=False)
    #: the place as an offset into the text
    offset: int = field(default=0, compare=False, repr=False)

    @property
    def fixable(self) -> bool:
        """Whether --fix can fix it."""
        return self.fix is not None


#: the things that rules look at: a file's text, a net as a whole, a net in one state, a solver, a solver's nets,
#: two nets of one model
SCOPES = ("text", "net", "view", "solver", "pair", "nets")


@dataclass(frozen=True)
class Rule:
    """One rule.

    summary: what it finds, in a few words; reason: why that is a mistake; scope: what it looks at (one of SCOPES);
    check: the function that looks.
    """

    name: str
    severity: str
    summary: str
    reason: str
    scope: str
    check: Callable[..., Iterable[Hit]]
    #: not applied unless it is selected
    optional: bool = False


RULES: dict[str, Rule] = {}
_Check = Callable[..., Iterator[Hit]]


def rule(
    name: str, severity: str, summary: str, scope: str = "view", optional: bool = False, reason: str = ""
) -> Callable[[_Check], _Check]:
    """Decorator: put a function, which gets what its scope names and yields hits, into the table.

    The function's docstring says why the mistake is one, unless `reason` does; docs/lint-rules.md shows it.
    """

    def add(check: _Check) -> _Check:
        if name in RULES:
            raise ValueError(f"the rule {name} is defined twice")
        why = reason or inspect.getdoc(check) or ""
        RULES[name] = Rule(name, severity, summary, " ".join(why.split()), scope, check, optional)
        return check

    return add


def chosen(select: Iterable[str] = (), ignore: Iterable[str] = (), also: Iterable[str] = ()) -> list[Rule]:
    """The rules to apply.

    Args:
        select: names of rules; by default all that are not optional.
        ignore: names of rules that are not applied.
        also: names of optional rules that are applied as well.

    Raises:
        InputError: if there is no rule of a name.

    Example:
        >>> from deeplab_caffe.inspection.lint import chosen
        >>> [rule.name for rule in chosen(["shuffle", "crop-size"], ignore=["crop-size"])]
        ['shuffle']
    """
    select, ignore, also = set(select), set(ignore), set(also)
    for name in sorted(select | ignore | also):
        if name not in RULES:
            raise InputError(f"there is no rule '{name}'{did_you_mean(name, RULES)}; --list-rules lists them")
    wanted = select or {r.name for r in RULES.values() if not r.optional}
    return [r for r in RULES.values() if r.name in (wanted | also) - ignore]


def finding(found: Rule, hit: Hit) -> Finding:
    """The finding of a rule's hit."""
    line, column = hit.document.place(hit.offset)
    what = hit.layer, hit.message, hit.advice, hit.fix, hit.offers, hit.offset
    return Finding(found.name, found.severity, hit.document.filename, line, column, *what)
