"""Scripts of Python 2, as most for pycaffe are: which construct it is, where, and what Python 3 has instead."""

from __future__ import annotations

import re
import traceback

#: pattern of a line that is no Python 3, what it is, and what to write
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    (r"^\s*print\b(?!\s*\()", "the statement print", "print(…)"),
    (r"^\s*exec\b(?!\s*\()", "the statement exec", "exec(…)"),
    (r"^\s*except\s+[^:]+,\s*\w+\s*:", "except E, name", "except E as name"),
    (r"^\s*raise\s+[\w.]+\s*,", "raise E, text", "raise E(text)"),
    (r"<>", "the operator <>", "!="),
    (r"`[^`]*`", "backquotes", "repr(…)"),
    (r"\bur['\"]", "a text ur'…'", "r'…'"),
    (r"\b0\d+\b", "an octal number such as 0755", "0o755"),
    (r"\b(0x[\da-f]+|\d+)l\b", "a long number such as 1L", "1"),
    (r"\bdef\s+\w+\(.*\(.*\).*\)\s*:|\blambda\s*\(", "a parameter that is a tuple", "one name, taken apart inside"),
)
_NAMES = {
    "xrange": "range",
    "raw_input": "input",
    "unicode": "str",
    "basestring": "str",
    "unichr": "chr",
    "long": "int",
    "reduce": "functools.reduce",
    "execfile": "exec(open(…).read())",
    "izip": "zip",
}
_MODULES = {
    "cPickle": "pickle",
    "StringIO": "io",
    "cStringIO": "io",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "ConfigParser": "configparser",
    "Queue": "queue",
    "Tkinter": "tkinter",
    "__builtin__": "builtins",
}
_METHODS = {"has_key": "in", "iteritems": "items", "itervalues": "values", "iterkeys": "keys"}
_ALL = "`deeplab run --python2` translates the script in memory"


def python2(error: BaseException) -> str | None:
    """What of Python 2 has led to an error of a script, as `FILE:LINE: this is Python 2: …`; None if nothing has."""
    if isinstance(error, SyntaxError):
        found = next((row[1:] for row in _SYNTAX if re.search(row[0], error.text or "", re.I)), None)
        return _said(error.filename or "", error.lineno or 0, *found) if found else None
    found = _at_run_time(error)
    frames = traceback.extract_tb(error.__traceback__)
    return _said(frames[-1].filename, frames[-1].lineno or 0, *found) if found and frames else None


def _at_run_time(error: BaseException) -> tuple[str, str] | None:
    """The name that Python 3 does not have, and what it has instead."""
    name = str(getattr(error, "name", "") or "")
    known = {NameError: _NAMES, ModuleNotFoundError: _MODULES, AttributeError: _METHODS}.get(type(error), {})
    return (name, known[name]) if name in known else None


def _said(file: str, line: int, what: str, instead: str) -> str:
    return f"{file}:{line}: this is Python 2: {what}; Python 3 has {instead}. {_ALL}"
