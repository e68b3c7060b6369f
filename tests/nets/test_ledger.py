"""The ledger: its page is what the tables say, and results are read, appended and shown beside their numbers."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.locks import locked_folder
from deeplab_caffe.nets import (
    Result,
    append_results,
    full_name,
    ledger_page,
    published_names,
    published_numbers,
    published_tables,
    read_results,
    starts_from,
)
from net_facts import REPOSITORY

ROW = re.compile(r"^\| (.*) \|$")
RESULT = Result("voc12/largefov", "val", "65.71", "one GPU", "2026-01-02", "abc", "torch 2")


def cells(page: str) -> list[list[str]]:
    """The rows of the page's tables of numbers, without their headings."""
    rows = [match[1].split(" | ") for line in page.splitlines() if (match := ROW.match(line))]
    return [row for row in rows if len(row) == 7 and row[0] != "row"]


def test_the_page_is_what_the_command_writes():
    committed = (REPOSITORY / "docs" / "ledger.md").read_text(encoding="utf-8")
    assert committed == ledger_page(read_results(REPOSITORY / "docs" / "results.toml")), "run make docs"


def test_the_page_has_every_number_once():
    page = ledger_page([])
    assert [row[4].partition(" ")[0] for row in cells(page)] == [number.value for number in published_numbers()]
    for table in published_tables():
        assert page.count(f"### {table.heading}\n") == 1


def test_commands_are_targets_with_the_flags_of_the_test():
    for row, number in zip(cells(ledger_page([])), published_numbers(), strict=True):
        command = row[6]
        if number.why:
            assert command == f"none: {number.why}" and row[5] == "–"
        elif not number.command and number.of.startswith("mean IoU"):
            make, name, *arguments = shlex.split(command.strip("`"))
            assert make == "make" and full_name(name) == number.name
            assert arguments == ([f"ARGS={shlex.join(number.test_flags)}"] if number.test_flags else [])


def test_what_a_target_starts_from_is_trained_first():
    page = ledger_page([]).partition("## Models that start from others")[2]
    chains = dict(row.strip("| ").split(" | ") for row in page.splitlines() if row.startswith("| `"))
    first = ("coco", "v3_resnet101_aspp"), ("voc", "v3_resnet101_aspp_coco")
    stages = ("data", "prototxt", "train")
    commands = ["make " + " ".join(f"{data}_{model}.{stage}" for stage in stages) for data, model in first]
    assert chains["`voc_v3_resnet101_aspp_coco_hard`"] == "<br>".join(f"`{command}`" for command in commands)
    names = {full_name(target.strip("`")) for target in chains}
    assert names == {n.name for n in published_numbers() if n.name and starts_from(n.name)}
    assert names <= set(published_names())


def test_a_result_stands_beside_its_number_alone():
    rows = cells(ledger_page([RESULT]))
    shown = [(row[2], row[4], row[5]) for row in rows if row[5].startswith("65.71")]
    ours = "65.71 (one GPU; 2026-01-02; commit abc; torch 2)"
    assert shown == [("no", "65.88", ours), ("no", "65.76", ours)]
    assert sum(row[5] == "not run" for row in cells(ledger_page([]))) - sum(row[5] == "not run" for row in rows) == 2


@pytest.mark.parametrize(
    "other", [{"crf": True}, {"split": "test"}, {"name": "cityscapes/largefov"}, {"flip": True}, {"output_stride": 8}]
)
def test_a_result_of_another_test_does_not(other):
    row = replace(RESULT, **other)
    shown = [cell for cell in cells(ledger_page([row])) if cell[5].startswith("65.71")]
    assert not any(cell[4] in ("65.88", "65.76") for cell in shown)


def test_a_run_as_published_is_preferred_and_others_say_what_differs():
    short = replace(RESULT, value="12.00", options="--iterations 10", note="a try")
    page = ledger_page([short])
    assert "12.00 (one GPU; 2026-01-02; commit abc; torch 2), with `--iterations 10`; a try" in page
    assert "65.71 (" in ledger_page([RESULT, short]) and "12.00 (" not in ledger_page([RESULT, short])
    assert "66.00 (" in ledger_page([RESULT, replace(RESULT, value="66.00")])


def test_a_measured_speed():
    speed = replace(RESULT, name="", split="", value="0.1", of="time of the CRF, s per image")
    (row,) = [row for row in cells(ledger_page([speed])) if row[5].startswith("0.1 (")]
    assert row[4] == "0.5 time of the CRF, s per image"


# -- the file of results


def test_results_are_appended_and_read_back(tmp_path):
    path = tmp_path / "results.toml"
    assert read_results(path) == []
    full = replace(
        RESULT, crf=True, output_stride=8, scales=(0.5, 1.0), flip=True, options='--crop "9"', note="a\\b\x7fä\n"
    )
    append_results([RESULT], path)
    before = path.read_text(encoding="utf-8")
    append_results([full], path)
    assert read_results(path) == [RESULT, full]
    assert path.read_text(encoding="utf-8").startswith(before) and before.startswith("#")


def test_two_at_once_lose_nothing(tmp_path):
    path = tmp_path / "results.toml"
    append_results([RESULT], path)
    with locked_folder(tmp_path, "busy"), pytest.raises(InputError, match="results are being added to .*results.toml"):
        append_results([RESULT], path)
    append_results([RESULT], path)
    assert read_results(path) == [RESULT, RESULT] and [file.name for file in tmp_path.iterdir()] == ["results.toml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("results = 1", "results.toml: not a file of results"),
        ("results = [1]", "results.toml: not a file of results"),
        ("[[results]]\nname = 'a", "results.toml: not valid TOML"),
        ("[[results]]\nnane = 'a'", "results.toml: result 1: unknown key 'nane'; did you mean 'name'"),
        ("[[results]]\nname = 1", "results.toml: result 1: name = 1; expected text"),
        ("[[results]]\nscales = ['x']", "results.toml: result 1: scales = \\['x'\\]; expected numbers"),
        ("[[results]]\nname = 'a'", "results.toml: result 1: split, value, hardware, date, commit, versions missing"),
    ],
)
def test_a_damaged_file_of_results(tmp_path, text, message):
    path = tmp_path / "results.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        append_results([RESULT], path)
    assert path.read_text() == text


def test_a_cell_is_one_line():
    page = ledger_page([replace(RESULT, hardware="a|b\nc", note="x\n\n| y |")])
    (line,) = [line for line in page.splitlines() if "| 65.88 |" in line and "poly" in line]
    assert r"| 65.71 (a\|b c; 2026-01-02; commit abc; torch 2), x \| y \| |" in line
