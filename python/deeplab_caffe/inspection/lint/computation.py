"""What of a layer's definition changes what it computes in a net for use, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...formats import schema
from ...formats.layer_facts import DATA, IDENTITY, LOSS, METRIC, SINK, LayerFacts, facts_of
from ...formats.python_layers import native
from ..diff_fields import FieldChange, changes
from ..meaning import plain

#: fields, anywhere in a layer, that change how it starts, learns or is run, but not what it computes
_NOT_COMPUTED = {
    "weight_filler", "bias_filler", "filler", "slope_filler", "scale_filler", "shift_filler", "engine",
    "force_nd_im2col", "stable_prod_grad", "debug_info", "moving_average_fraction", "update_global_stats", "momentum",
    "frozen", "share_in_parallel",
}  # fmt: skip
#: fields of data layers that change the values of images
_OF_IMAGES = {
    "transform_param": ("scale", "mean_value", "mean_file", "force_color", "force_gray"),
    "image_data_param": ("is_color",),
}
_LAYER_FIELDS = tuple(schema.LayerParameter.DESCRIPTOR.fields_by_name)


def facts_of_layer(param: Any) -> LayerFacts:
    """The facts about a layer's type; of a Python layer of ours, about the type that it stands for."""
    return facts_of(str(native(param).type))


def is_identity(param: Any) -> bool:
    """Whether the top is the bottom in a net for use, as of Dropout."""
    return facts_of_layer(param).in_use == IDENTITY


def computes(param: Any) -> bool:
    """Whether a layer belongs to what a net computes from its images: no data, loss, accuracy or Dropout."""
    facts = facts_of_layer(param)
    return facts.kind not in (DATA, LOSS, METRIC, SINK) and facts.in_use != IDENTITY


def computing_changes(before: Any, after: Any) -> Iterator[FieldChange]:
    """The fields in which two layers that compute differ; of layers of different types, the type alone."""
    before, after = plain(native(before)), plain(native(after))
    if before.type != after.type:
        yield FieldChange("type", f'"{before.type}"', f'"{after.type}"')
        return
    own = facts_of(before.type).params
    skipped = [name for name in _LAYER_FIELDS if name not in own and (own or not name.endswith("_param"))]
    for change in changes(before, after, skipped):
        if _NOT_COMPUTED.isdisjoint(part.partition("[")[0] for part in change.path.split(".")):
            yield change


def image_changes(before: Any, after: Any) -> Iterator[FieldChange]:
    """The fields in which two data layers prepare images differently."""
    prepared = []
    for param in (before, after):
        param, kept = native(param), schema.LayerParameter()
        for message, names in _OF_IMAGES.items():
            for name in names:
                _copy(getattr(param, message), getattr(kept, message), name)
        means = kept.transform_param.mean_value
        if len(set(means)) == 1:
            del means[1:]
        prepared.append(kept)
    yield from changes(*prepared)


def _copy(source: Any, target: Any, name: str) -> None:
    descriptor = source.DESCRIPTOR.fields_by_name[name]
    if any(descriptor.name == stated.name for stated, _ in source.ListFields()):
        value = getattr(source, name)
        if hasattr(value, "extend"):
            getattr(target, name).extend(value)
        else:
            setattr(target, name, value)
