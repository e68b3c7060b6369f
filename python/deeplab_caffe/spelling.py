"""Suggestions for a word that is not known: `; did you mean 'x'?` at the end of a message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown word: the known word most like it, in whatever case.

    Args:
        word: what was given.
        known: the words that would have been accepted.
        otherwise: what to return if no known word is similar.

    Example:
        >>> did_you_mean("relu", ["ReLU", "PReLU"])
        "; did you mean 'ReLU'?"
        >>> did_you_mean("x", ["step", "poly"], "; use step or poly")
        '; use step or poly'
    """
    close = nearest_words(word, known, 1)
    return suggestion(close) if close else otherwise


def suggestion(words: Sequence[str]) -> str:
    """`; did you mean 'a' or 'b'?`"""
    return "; did you mean " + " or ".join(f"'{word}'" for word in words) + "?"


def nearest_word(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word most like this one in whatever case, or None (cutoff: 0 accepts any word, 1 only the same)."""
    return next(iter(nearest_words(word, known, 1, cutoff)), None)


def nearest_words(word: str, known: Iterable[str], count: int, cutoff: float = 0.6) -> list[str]:
    """Up to `count` known words like this one in whatever case, the most similar first."""
    lowered = {k.lower(): k for k in known}
    return [lowered[k] for k in difflib.get_close_matches(word.lower(), list(lowered), count, cutoff)]
