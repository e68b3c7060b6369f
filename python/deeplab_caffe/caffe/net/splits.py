"""From a NetParameter to the list of layers that is run: filtering by state, and split insertion.

Mirrors `net.cpp` (FilterNet, StateMeetsRule) and `insert_splits.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from ...formats import schema
from ...formats.definition import Entry, is_included, unmet_condition
from ...formats.wiring import Maker, Wiring
from ...spelling import did_you_mean
from .. import log


def filter_layers(entries: Iterable[Entry], state: Any) -> list[Entry]:
    """The layers whose include and exclude rules the state meets, copied; the log gets the rules that it does not."""
    kept = []
    for entry in entries:
        p = entry.param
        if p.include and p.exclude:
            raise entry.error("states both include and exclude rules")
        if is_included(p, state, partial(_meets, layer=p.name)):
            copy = schema.LayerParameter()
            copy.CopyFrom(p)
            kept.append(Entry(copy, entry.origin))
    return kept


def _meets(state: Any, rule: Any, layer: str) -> bool:
    unmet = unmet_condition(state, rule)
    if unmet:
        log.detail(f"{unmet} specified by a rule in layer {layer}", "net.cpp:322")
    return unmet is None


def insert_splits(entries: list[Entry], every: Iterable[Entry]) -> list[Entry]:
    """Put a Split layer after every top that is used more than once, and rename what uses it.

    A use is a bottom, or a stated loss weight. Names: `<blob>_<layer>_<top index>_split_<k>`.

    Args:
        entries: the layers of the net.
        every: those of its file, to name the one for training that makes what is missing.

    Raises:
        InputError: a bottom is made by no earlier layer.
    """
    wiring = Wiring([entry.param for entry in entries], one_state=True)
    uses = {top: len(readers) for top, readers in wiring.readers.items()}
    for i, entry in enumerate(entries):
        for name, makers in zip(entry.param.bottom, wiring.makers[i], strict=True):
            if not makers:
                raise entry.error(_unknown_bottom(name, entries[:i]) + _made_in_training(name, entries, every))
        for j, (_, weight) in enumerate(zip(entry.param.top, entry.param.loss_weight, strict=False)):
            if weight:
                uses[i, j] = uses.get((i, j), 0) + 1
    return _with_splits(entries, wiring, uses)


def _unknown_bottom(name: str, before: list[Entry]) -> str:
    known = list(dict.fromkeys(top for entry in before for top in entry.param.top))
    listed = f" (blobs so far: {', '.join(known)})" if 0 < len(known) <= 12 else ""
    return f"bottom '{name}' is made by no layer before this one{did_you_mean(name, known)}{listed}"


def _made_in_training(name: str, entries: list[Entry], every: Iterable[Entry]) -> str:
    """What to add where a layer that only nets for training have makes the blob."""
    if any(name in entry.param.top for entry in entries):
        return ""
    for maker in (entry.param for entry in every if name in entry.param.top):
        if [is_included(maker, schema.NetState(phase=phase)) for phase in (schema.TRAIN, schema.TEST)] == [True, False]:
            return f"; layer '{maker.name}' makes it, in TRAIN only: expected a net for TEST, such as deploy.prototxt"
    return ""


def _with_splits(entries: list[Entry], wiring: Wiring, uses: dict[Maker, int]) -> list[Entry]:
    result: list[Entry] = []
    taken: dict[Maker, int] = {}
    tops = {(i, j): name for i, e in enumerate(entries) for j, name in enumerate(e.param.top)}
    names = {key: f"{blob}_{entries[key[0]].param.name}_{key[1]}_split" for key, blob in tops.items()}
    for i, entry in enumerate(entries):
        p = entry.param
        for j in range(len(p.bottom)):
            source = wiring.makers[i][j][0]
            if uses[source] > 1:
                p.bottom[j] = f"{names[source]}_{taken.get(source, 0)}"
                taken[source] = taken.get(source, 0) + 1
        result.append(entry)
        for j, blob in enumerate(p.top):
            count = uses.get((i, j), 0)
            if count < 2:
                continue
            weight = p.loss_weight[j] if j < len(p.loss_weight) else 0.0
            split = schema.LayerParameter(name=names[i, j], type="Split", bottom=[blob])
            split.top.extend(f"{names[i, j]}_{k}" for k in range(count))
            if weight:
                split.loss_weight.extend([weight] + [0.0] * (count - 1))
                taken[i, j] = 1
            result.append(Entry(split, entry.origin))
        if any(uses.get((i, j), 0) > 1 and j < len(p.loss_weight) and p.loss_weight[j] for j in range(len(p.top))):
            p.ClearField("loss_weight")
    return result
