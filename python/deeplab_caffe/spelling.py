"""Suggestions for a word that is not known: `; did you mean 'x'?` at the end of a message.

A word is suggested only if it is near: the same but for case and separators, or one slip of the keyboard away (two in
long words). A suggestion that is not what was meant misleads more than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: words from this length on may have two slips
_LONG = 9
_SEPARATORS = str.maketrans("", "", "_- ./")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown word: the known word that is nearest, if one is near.

    Args:
        word: what was given.
        known: the words that would have been accepted.
        otherwise: what to return if no known word is near.

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


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The nearest known word, or None if none is near."""
    return next(iter(nearest_words(word, known, 1)), None)


def nearest_words(word: str, known: Iterable[str], count: int) -> list[str]:
    """Up to `count` known words that are near, the nearest first."""
    found = ((slips(word, k), k) for k in known)
    return [k for far, k in sorted((far, k) for far, k in found if far is not None)[:count]]


def nearest_fields(name: str, known: Iterable[str]) -> list[str]:
    """The known names of fields that are nearest, if any are near; words that two names share do not count.

    So `norm_param` is not near `lrn_param`, and `pad_t` not near `pad_h`.

    Example:
        >>> nearest_fields("num_ouput", ["num_output", "name"]), nearest_fields("pad_t", ["pad_h", "pad_w"])
        (['num_output'], [])
    """
    near = {k: far for k in known if (far := _field_slips(name, k)) is not None}
    return sorted(k for k, far in near.items() if far == min(near.values()))


def _field_slips(name: str, other: str) -> int | None:
    first, second = name.split("_"), other.split("_")
    if len(first) != len(second):  # an underscore is missing or misplaced, if nothing else is
        return 1 if "".join(first).lower() == "".join(second).lower() else None
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    return slips("_".join(a for a, _ in pairs), "_".join(b for _, b in pairs))


def slips(word: str, other: str) -> int | None:
    """How many letters of two words differ, are missing or are swapped, in whatever case; None if they are not near."""
    first, second = (text.lower().translate(_SEPARATORS) or text for text in (word, other))
    longest = max(len(first), len(second))
    if first == second:
        return 0
    most = 0 if longest < 3 else 1 if longest < _LONG else 2
    if abs(len(first) - len(second)) > most:
        return None
    if first.startswith(second) or first.endswith(second) or second.startswith(first) or second.endswith(first):
        return 1 if abs(len(first) - len(second)) == 1 else None  # Unpooling is not Pooling, nor is Pooling3D
    count = _distance(first, second)
    return count if count <= most else None


def _distance(first: str, second: str) -> int:
    """The optimal string alignment distance: insertions, deletions, replacements, and swaps of neighbours."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        new = [i]
        for j, b in enumerate(second, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                new[-1] = min(new[-1], before[j - 2] + 1)
        before, row = row, new
    return row[-1]
