"""The table of published numbers: every one that was printed, once, with a target that exists."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import (
    VARIANTS,
    GeneratorOptions,
    generate,
    listing,
    published_names,
    published_numbers,
    published_scores,
    published_tables,
    starts_from,
)
from deeplab_caffe.nets.published import MEAN_IOU
from net_facts import REPOSITORY

NUMBERS = REPOSITORY / "tests" / "data" / "published" / "numbers.txt"
#: the reference that the numbers were copied from, where there is one
REFERENCE = REPOSITORY.parent / "shared" / "reference" / "published.md"
SIX_SCALES = (0.5, 0.75, 1, 1.25, 1.5, 1.75)


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def printed() -> dict[tuple[str, str], list[str]]:
    """What is printed, by publication and table."""
    lines = [line.split(" | ") for line in NUMBERS.read_text().splitlines() if not line.startswith("#")]
    return {(publication, table): numbers.split() for publication, table, numbers in lines}


# -- every number once, and no other


def test_every_printed_number_is_there_once_in_its_order():
    ours = {(t.publication, t.table): [number.value for number in t.numbers] for t in published_tables()}
    assert ours == printed()


#: numbers of the reference that are no results: powers, rates, scales, and the remark on LargeFOV's two scores
_NO_RESULTS = {
    "DeepLab v2": "0.9 65.88 65.76 0.5 0.75 0.5 1.5",
    "DeepLab v3": "0.9997 0.007 0.9 0.5 2.0 0.001 0.0001 0.5 0.75 1.25 1.5 1.75 0.75 1.25 0.75 1.25 1.5 1.75",
    "DeepLab v1": "",
    "FCN": "",
}
_DECIMAL = re.compile(r"(?<![\d.])\d{0,3}\.\d{1,4}(?!\d)")


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference is not here")
@pytest.mark.parametrize("publication", _NO_RESULTS)
def test_the_reference_has_these_numbers_and_no_other(publication):
    sections = re.split(r"^## ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith(publication)]
    listed = [value for (where, _), values in printed().items() if where == publication for value in values]
    stated = Counter(_DECIMAL.findall(section))
    assert stated - Counter(_NO_RESULTS[publication].split()) == Counter(v for v in listed if "." in v)


# -- the rows


@pytest.mark.parametrize("number", published_numbers(), ids=lambda n: f"{n.name}-{n.split}-{n.value}")
def test_a_row_has_a_target_that_exists_or_says_why_not(number):
    assert number.row and number.number > 0
    assert bool(number.why) == (number.model is None and not number.command)
    if number.model:
        assert number.name in set(published_names())
        assert number.of != MEAN_IOU or number.split
        assert not number.output_stride or "test_output_stride" in VARIANTS[number.model].reads


def test_every_data_set_of_a_model_has_a_published_score_or_starts_another_model():
    """Otherwise it is there by mistake, but for the publications whose numbers are not in the table."""
    elsewhere = ("DeepLab v3", "FCN", "Weakly- and Semi", "Domain transform", "Attention to Scale", "DeepLab v1's")
    names = set(published_names())
    used = {number.name for number in published_numbers()} | {starts_from(name) for name in names}
    for name in names - used:
        assert VARIANTS[name.partition("/")[2]].source.startswith(elsewhere), name


@pytest.mark.parametrize("number", [n for n in published_numbers() if n.of == "parameters, M"], ids=lambda n: n.name)
def test_published_numbers_of_parameters_are_those_of_the_nets(number):
    assert f"{VARIANTS[number.model].parameters / 1e6:.1f}" == number.value


def test_test_nets_have_the_published_output_strides():
    wanted = {(n.name, n.output_stride) for n in published_numbers() if n.output_stride}
    assert {stride for _, stride in wanted} == {4, 8, 16}
    for name, stride in wanted:
        text = generate(name, GeneratorOptions(test_output_stride=stride))["test.prototxt"]
        assert re.search(rf"zoom_factor: {stride}\b", text), name


# -- looking up


@pytest.mark.parametrize(
    ("name", "how", "values"),
    [
        ("voc12/largefov", {}, ["65.88", "65.76"]),
        ("voc12/largefov", {"crf": True}, ["69.84"]),
        ("voc12/largefov", {"split": "test"}, ["67.7"]),
        ("voc12/largefov", {"images": 1449}, ["65.88", "65.76"]),
        ("voc12/largefov", {"images": 1448}, []),
        ("voc12/largefov", {"flip": True}, []),
        ("camvid/largefov", {}, []),
        ("cityscapes_half/largefov", {"crf": True}, ["64.18"]),
        ("pascal_context/resnet101_msc_largefov", {}, ["43.5"]),
        ("person_part/resnet101_msc_aug", {}, ["63.10"]),
        ("person_part/resnet101_msc", {}, []),
        ("voc12/v3_resnet101_aspp", {}, ["77.21"]),
        ("voc12/v3_resnet101_aspp", {"output_stride": 16, "scales": (1,)}, ["77.21"]),
        ("voc12/v3_resnet101_aspp", {"output_stride": 8}, ["78.51"]),
        ("voc12/v3_resnet101_aspp", {"output_stride": 8, "scales": list(SIX_SCALES)}, ["79.45"]),
        ("voc12/v3_resnet101_aspp", {"output_stride": 8, "scales": SIX_SCALES, "flip": True}, ["79.77"]),
        ("voc12/v3_resnet101_aspp_os8", {"output_stride": 8}, ["75.62"]),
        ("voc12/fcn8s", {}, []),
        ("voc12/fcn8s", {"split": "seg11valid"}, ["65.5"]),
    ],
)
def test_published_scores(name, how, values):
    assert [number.value for number in published_scores(name, **how)] == values


def test_scores_of_an_unknown_model():
    with pytest.raises(InputError, match="there is no model 'largefow'; did you mean 'largefov'"):
        published_scores("voc12/largefow")


def test_flags_of_a_test():
    (number,) = published_scores("voc12/v3_resnet101_aspp_coco_hard", "test", scales=SIX_SCALES, flip=True)
    assert number.test_flags == ["--test-set", "test", "--scales", "0.5,0.75,1,1.25,1.5,1.75", "--flip"]
    assert number.test_words == "MS, flip"


def test_the_list_shows_every_published_score_of_every_model():
    lines = {line.split()[0]: line for line in listing.as_text().splitlines() if line.startswith("  ")}
    for number in published_numbers():
        if number.model and number.of == MEAN_IOU:
            shown = re.split(r"[ ;]+", lines[number.model])
            assert f"{'+' * number.crf}{number.value}" in shown, number
