"""Every field, word and type of nets and solvers has its meaning, and no entry is left over."""

from __future__ import annotations

import pytest

from deeplab_caffe.formats import meanings, schema
from deeplab_caffe.formats.filler_types import FILLER_TYPES
from deeplab_caffe.formats.layer_facts import LAYER_FACTS
from deeplab_caffe.formats.lr_policies import LR_POLICIES
from deeplab_caffe.formats.solver_types import SOLVER_TYPES

_MESSAGES = schema.DESCRIPTOR.message_types_by_name
_ENUMS = [*schema.DESCRIPTOR.enum_types_by_name.values(), *(e for m in _MESSAGES.values() for e in m.enum_types)]


@pytest.mark.parametrize("message", _MESSAGES)
def test_every_field_has_a_meaning(message: str) -> None:
    for field in _MESSAGES[message].fields:
        meaning = meanings.of_field(field)
        assert meaning.text.endswith(".") and meaning.since, f"{message}.{field.name}: {meaning}"


@pytest.mark.parametrize("enum", _ENUMS, ids=lambda enum: enum.full_name)
def test_every_word_of_an_enum_has_a_meaning(enum: object) -> None:
    for word in enum.values:  # type: ignore[attr-defined]
        assert meanings.of_word(word).endswith("."), word.full_name if hasattr(word, "full_name") else word.name


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("layers", LAYER_FACTS),
        ("fillers", FILLER_TYPES),
        ("solvers", SOLVER_TYPES),
        ("lr_policies", LR_POLICIES),
        ("regularizations", ("L2", "L1")),
        ("crop_modes", ("warp", "square")),
    ],
)
def test_every_type_has_a_meaning_and_no_other_has(kind: str, wanted: object) -> None:
    assert set(meanings.words()[kind]) == set(wanted)  # type: ignore[call-overload]


def test_no_entry_is_left_over() -> None:
    enums = {enum.name: {value.name for value in enum.values} for enum in _ENUMS}
    for name, table in meanings.tables().items():
        if name not in _MESSAGES:
            assert set(table) <= enums[name], f"[{name}] is no message, and has words that no enum of this name has"
            continue
        message = _MESSAGES[name]
        for key, row in table.items():
            if key in message.enum_types_by_name:
                assert set(row) <= set(message.enum_types_by_name[key].values_by_name), f"[{name}.{key}]"
            elif key == "_like":
                assert row in _MESSAGES
            elif key != "_since":
                assert key in message.fields_by_name, f"[{name}] has '{key}', which is no field"


def test_an_entry_says_what_the_schema_does_not() -> None:
    """An unknown key of a row raises; a row says no more than it needs."""
    forks = {caffe for row in LAYER_FACTS.values() for caffe in row.known_to} - {"BVLC"}
    for name, table in meanings.tables().items():
        for key, row in table.items():
            assert key != "_since" or row in {*meanings.SINCE, *forks}, f"[{name}] since {row}"
            if isinstance(row, dict) and key in getattr(_MESSAGES.get(name), "fields_by_name", {}):
                assert set(row) <= {"text", "unit", "range", "since", "instead"}, f"{name}.{key}"
                assert len(row) > 1, f"{name}.{key}: a text alone needs no braces"
                assert row.get("since") != table["_since"], f"{name}.{key}: this is the date of its message"
                assert row.get("since", "here") in {*meanings.SINCE, *forks}, f"{name}.{key}"


@pytest.mark.parametrize(
    ("message", "field", "unit", "since", "instead"),
    [
        ("ConvolutionParameter", "dilation", "pixels", "Caffe of 2015", ""),
        ("ConvolutionParameter", "hole", "pixels", "DeepLab v1", "dilation"),
        ("V1LayerParameter", "strict_dim", "", "DeepLab v1", ""),
        ("V1LayerParameter", "pooling_param", "", "Caffe of 2014 (V1)", ""),
        ("LayerParameter", "interp_param", "", "DeepLab v1", ""),
        ("SolverParameter", "iter_size", "batches", "Caffe of 2015", ""),
    ],
)
def test_what_a_field_is(message: str, field: str, unit: str, since: str, instead: str) -> None:
    meaning = meanings.of_field(_MESSAGES[message].fields_by_name[field])
    assert (meaning.unit, meaning.since, meaning.instead) == (unit, since, instead)
    assert meaning.is_old == bool(instead)


def test_words_of_a_field() -> None:
    def words(message: str, field: str) -> list[str]:
        return list(meanings.words_of(_MESSAGES[message].fields_by_name[field]))

    assert words("PoolingParameter", "pool") == ["MAX", "AVE", "STOCHASTIC"]
    assert words("LayerParameter", "type") == list(LAYER_FACTS)
    assert "conv" in words("V0LayerParameter", "type") and "CONVOLUTION" in words("V1LayerParameter", "type")
    assert words("SolverParameter", "lr_policy") == list(LR_POLICIES)
    assert words("LayerParameter", "name") == []


def test_types_of_2013_and_2014_are_those_of_today() -> None:
    assert meanings.of_type("conv") == meanings.of_type("CONVOLUTION") == meanings.of_type("Convolution") != ""
    assert meanings.today("INTERP") == "Interp" and meanings.today("GAIN_CHANNEL") == ""
    assert meanings.of_type("NoSuchLayer") == "" and meanings.known_to("NoSuchLayer") == ""
    assert meanings.known_to("Interp") == "DeepLab v1, DeepLab v2, PSPNet"
