"""What every field, word and layer type of nets and solvers means, in a line or two, for editors and pages.

The texts are the TOML files of this folder; types, defaults and words come from the schema, and which layer types a
message belongs to from the table of layer types. A file has a table for each message:

    [ConvolutionParameter]
    _since = "2014"                                   # the Caffe that its fields are known since; see SINCE
    bias_term = "Whether a learned number …"          # a field: its meaning …
    pad = { text = "…", unit = "pixels", range = "≥ 0", since = "2015", instead = "…" }   # … and what else is known
    [ConvolutionParameter.Engine]                     # an enum of the message: what its words mean
    CUDNN = "…"

`_like = "Message"` takes what is missing from another message. A table of an enum's name holds for each message that
has no table of its own for it. `types.toml` has the words that are written in quotes.
`tests/formats/test_meanings.py` holds them complete, without an entry too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...reading import read_toml
from ..layer_facts import HERE, LAYER_FACTS
from ..upgrade_deeplab import TYPES as V1_DEEPLAB_TYPES
from ..upgrade_layers import V0_TYPES, V1_TYPES

#: what `since` may be → how it is said
SINCE: Mapping[str, str] = {
    "2013": "Caffe of 2013 (V0)",
    "2014": "Caffe of 2014 (V1)",
    "2015": "Caffe of 2015",
    "rc3": "BVLC Caffe 1.0-rc3",
    "1.0": "BVLC Caffe 1.0",
    "here": "this package",
}
_FILES = ("net", "solver", "bvlc_layers", "deeplab_layers", "fork_layers")


@dataclass(frozen=True)
class Meaning:
    """What is known of a field.

    Args:
        text: its meaning, one or two sentences.
        unit: of its value, such as "pixels"; "" if it has none.
        range: the values that it may have, such as "≥ 1"; "" for any of its type.
        since: the Caffe that has it first, in words; a fork's name where BVLC's never had it.
        instead: what to write today instead; "" where the field is current.
    """

    text: str
    unit: str = ""
    range: str = ""
    since: str = ""
    instead: str = ""

    @property
    def is_old(self) -> bool:
        """Whether something else is written today."""
        return bool(self.instead)


@cache
def tables() -> dict[str, dict[str, Any]]:
    """All tables of the messages' files, by message (or shared enum)."""
    return {name: rows for file in _FILES for name, rows in _read(file).items()}


@cache
def words() -> dict[str, dict[str, str]]:
    """The tables of types.toml: the words of each kind, by kind."""
    return _read("types")


def _read(name: str) -> dict[str, Any]:
    return read_toml(Path(__file__).with_name(f"{name}.toml"), "the meanings of fields")


@cache
def of_field(descriptor: Any) -> Meaning:
    """The meaning of a field, given by its protobuf descriptor.

    Raises:
        KeyError: no file has it.

    Example:
        >>> from deeplab_caffe.formats import schema
        >>> of_field(schema.ConvolutionParameter.DESCRIPTOR.fields_by_name["hole"]).instead
        'dilation'
    """
    message, name = descriptor.containing_type.name, descriptor.name
    row = _entry(message, name)
    if row is None and descriptor.message_type is not None and _types_with(name):
        text, message = f"Parameters of {_types_with(name)}.", descriptor.message_type.name
        row = {"text": text}
    if row is None:
        raise KeyError(f"{message}.{name} has no entry in formats/meanings")
    row = {"text": row} if isinstance(row, str) else row
    since = row.get("since", tables()[message]["_since"])
    return Meaning(**{**row, "since": SINCE.get(since, since)})


def _entry(message: str, name: str) -> Any:
    """The row of a field, its message's own or that of the message that it is like; None if there is none."""
    table = tables()[message]
    if name in table or "_like" not in table:
        return table.get(name)
    return _entry(table["_like"], name)


def _types_with(param: str) -> str:
    """The layer types whose parameters a field of a layer holds."""
    return ", ".join(row.name for row in LAYER_FACTS.values() if param in row.params)


@cache
def of_word(descriptor: Any) -> str:
    """What a word of an enum means, given by its protobuf descriptor.

    Raises:
        KeyError: no file has it.
    """
    enum, word = descriptor.type, descriptor.name
    if enum.name == "LayerType" and today(word):
        return of_type(today(word))
    message = enum.containing_type
    own = tables().get(message.name, {}).get(enum.name, {}) if message is not None else {}
    row = own.get(word) or tables().get(enum.name, {}).get(word)
    if row is None:
        raise KeyError(f"{enum.full_name}.{word} has no entry in formats/meanings")
    return str(row)


def of_type(layer_type: str) -> str:
    """What a layer type computes, in one line; "" for an unknown type. Words of 2013 and 2014 count, too.

    Example:
        >>> of_type("ReLU") == of_type("RELU") == of_type("relu")
        True
    """
    return words()["layers"].get(layer_type) or words()["layers"].get(today(layer_type), "")


def today(old_type: str) -> str:
    """Today's name of a type of 2013 (`conv`) or 2014 (`CONVOLUTION`, `INTERP`); "" if there is none."""
    old_type = V0_TYPES.get(old_type, old_type)
    return V1_TYPES.get(old_type) or V1_DEEPLAB_TYPES.get(old_type, "")


def known_to(layer_type: str) -> str:
    """The Caffes that know a layer type: `BVLC`, `DeepLab v1, DeepLab v2`; "" for an unknown type."""
    facts = LAYER_FACTS.get(layer_type)
    return ", ".join("this package" if name == HERE else name for name in facts.known_to) if facts else ""


#: string field (message, name) → the kind of words in types.toml that it takes
_KINDS: Mapping[tuple[str, str], str] = {
    ("LayerParameter", "type"): "layers",
    ("FillerParameter", "type"): "fillers",
    ("SolverParameter", "type"): "solvers",
    ("SolverParameter", "lr_policy"): "lr_policies",
    ("SolverParameter", "regularization_type"): "regularizations",
    ("WindowDataParameter", "crop_mode"): "crop_modes",
    ("V0LayerParameter", "det_crop_mode"): "crop_modes",
}


def words_of(descriptor: Any) -> dict[str, str]:
    """The words that a field takes, with their meanings: of an enum, or of a string field that takes certain words.

    Args:
        descriptor: a protobuf field descriptor.

    Returns:
        {} for a field that takes anything else.

    Example:
        >>> from deeplab_caffe.formats import schema
        >>> list(words_of(schema.SolverParameter.DESCRIPTOR.fields_by_name["regularization_type"]))
        ['L2', 'L1']
    """
    if descriptor.enum_type is not None:
        return {value.name: of_word(value) for value in descriptor.enum_type.values}
    message = descriptor.containing_type.name
    if (message, descriptor.name) == ("V0LayerParameter", "type"):
        return {old: of_type(old) for old in V0_TYPES}
    kind = _KINDS.get((message, descriptor.name))
    return dict(words()[kind]) if kind else {}
