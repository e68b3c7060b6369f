"""The two names of a model on a data set: `voc12/largefov`, and `voc_largefov`, also its make target in a clone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..data import described_names
from ..errors import InputError
from ..spelling import did_you_mean, nearest_words, suggestion
from .variant import Variant
from .variants import VARIANTS

#: data sets that targets call by a shorter name
_SHORT = {"voc12": "voc"}


def target(dataset: str, model: str) -> str:
    """The make target of a model on a data set.

    Example:
        >>> target("voc12", "largefov"), target("cityscapes", "largefov")
        ('voc_largefov', 'cityscapes_largefov')
    """
    return f"{_SHORT.get(dataset, dataset)}_{model}"


def look_up(name: str) -> tuple[str, Variant]:
    """The name of the data set and the row of the table for `<data set>/<model>`.

    Raises:
        InputError: there is no such model; the message says which known names are nearest.
    """
    dataset_name, slash, model = name.partition("/")
    if not slash or not dataset_name:
        raise InputError(f"got '{name}'; wanted <data set>/<model>, such as voc12/largefov")
    if model not in VARIANTS:
        hint = did_you_mean(model, VARIANTS, f"; known are: {', '.join(VARIANTS)}")
        raise InputError(f"'{name}': there is no model '{model}'{hint}")
    return dataset_name, VARIANTS[model]


def published_names() -> Iterator[str]:
    """`<data set>/<model>` of every row of the table, on every data set that its publication reports."""
    for model, variant in VARIANTS.items():
        for dataset in variant.datasets:
            yield f"{dataset}/{model}"


def starts_from(name: str) -> str | None:
    """The model whose trained weights this one starts from, both as `<data set>/<model>`; None if there is none.

    Example:
        >>> starts_from("voc12/fcn8s"), starts_from("voc12/largefov")
        ('voc12/fcn16s', None)
    """
    dataset = name.partition("/")[0]
    before = look_up(name)[1].starts_from
    return before if before is None or "/" in before else f"{dataset}/{before}"


def initial_weights(name: str) -> str:
    """The initial weights of `<data set>/<model>`, in words."""
    return look_up(name)[1].initial


def full_name(name: str) -> str:
    """`<data set>/<model>` of a name in either form.

    Args:
        name: `voc12/largefov`, or `voc_largefov`; the data set is one of the table, or one that has a
            description (see `described_names`). A name with a slash is not checked; see `look_up`.

    Raises:
        InputError: the name is unknown; the message says which known names are nearest.

    Example:
        >>> full_name("voc_largefov")
        'voc12/largefov'
    """
    if "/" in name:
        return name
    pairs = [(dataset, model) for dataset in _datasets() for model in VARIANTS]
    known = {target(*pair): "/".join(pair) for pair in pairs}
    found = known.get(name) or {"_".join(pair): "/".join(pair) for pair in pairs}.get(name)
    if found:
        return found
    is_model = name in VARIANTS
    near = [target(d, name) for d in VARIANTS[name].datasets] if is_model else _near(name, ["demo", *known])
    hint = suggestion(near) if near else "; `deeplab list` shows all models"
    raise InputError(f"got '{name}'; wanted <data set>/<model> or <data set>_<model>, such as voc_largefov{hint}")


def _datasets() -> list[str]:
    return sorted({*described_names()} | {dataset for variant in VARIANTS.values() for dataset in variant.datasets})


def _near(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names: the nearest, and those that begin with it."""
    near = nearest_words(name, known, 3)
    return [*near, *(k for k in known if near and k.startswith(near[0]) and k not in near)][:3]
