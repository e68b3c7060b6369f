"""A published net edited by hand: kept, named, and trained, on its own data or on other data."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from deeplab_caffe import cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.experiment import published
from deeplab_caffe.experiment.hand_edits import hand_edits
from deeplab_caffe.formats.definition import read_definition
from deeplab_caffe.formats.signature import sign
from deeplab_caffe.formats.weights import read_caffemodel
from deeplab_caffe.nets import write_files
from small_search import search_little

REPOSITORY = Path(__file__).parents[2]
NET = Path("prototxt/voc12/largefov/train.prototxt")
EDIT = "fc6: pad 12 → 6, dilation 12 → 6"
#: flags of a net that trains in a second
SMALL = "--from-scratch --width 0.03 --crop 33 --test-crop 49 --batch-size 2 --iterations 2 --snapshot 2 --base-lr 0.01"


@pytest.fixture
def edited(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LargeFOV's committed nets beside the tiny data set, the dilation of fc6 changed by hand; returns the net."""
    for folder in ("datasets", "prototxt/voc12/largefov"):
        shutil.copytree(REPOSITORY / folder, tiny / folder)
    _edit({"dilation: 12": "dilation: 6", "pad: 12": "pad: 6"})
    search_little(monkeypatch)
    return NET


def _edit(changes: dict[str, str]) -> None:
    text = NET.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    NET.write_text(text)


def _deeplab(stage: str, *flags: str) -> int:
    """Run a stage; the training net alone is edited, which must be allowed."""
    return _strictly(stage, "--allow-different-nets", *flags)


def _strictly(stage: str, *flags: str) -> int:
    return cli.main([stage, "voc_largefov", "--data", "tiny.toml", *read_by(stage, SMALL.split()), *flags])


def _fc6(net: str | Path):
    return next(p for p in read_definition(net).param.layer if p.name == "fc6").convolution_param


def test_the_edit_is_kept_trained_and_named_in_the_report(edited, capsys):
    before = edited.read_text()
    assert _deeplab("train") == 0
    assert f"{edited}, edited by hand: {EDIT}" in capsys.readouterr().out
    assert edited.read_text() == before
    net = "exper/tiny/largefov/prototxt/train.prototxt"
    assert f"\n# With the manual edits of {edited}.\n" in Path(net).read_text()
    assert (list(_fc6(net).dilation), list(_fc6(net).pad), _fc6(net).num_output) == ([6], [6], 32)
    trained = {layer.name: layer for layer in read_caffemodel("exper/tiny/largefov/model/train_iter_2.caffemodel")}
    assert trained["fc8_tiny"].blobs[0].data.shape[0] == 3 and trained["fc6"].blobs[0].data.any()
    assert _deeplab("all") == 0
    page = Path("exper/tiny/largefov/report/index.html").read_text()
    section = re.search(r"<h3>edited by hand</h3>(.*?)</section>", page, re.DOTALL)
    assert section and str(edited) in section[1] and EDIT in section[1]
    assert "train: already done, nothing has changed" in capsys.readouterr().out


def test_another_edit_trains_anew(edited, capsys):
    assert _deeplab("train") == 0
    mark = "# CONFLICT fc6 convolution_param.pad: yours is 4, the generator's is now 2 (was 12)"
    _edit({"dilation: 6": "dilation: 4", "pad: 6": f"{mark}\n    pad: 4"})
    assert _deeplab("train") == 0
    said = capsys.readouterr().out
    assert "the snapshots of the earlier training were moved to" in said
    assert re.search(rf"warning: {edited}:\d+:\d+: {re.escape(mark[2:])}; your value is trained", said)
    assert list(_fc6("exper/tiny/largefov/prototxt/train.prototxt").dilation) == [4]


def test_an_edit_of_the_training_net_alone_is_refused_until_it_is_carried_over(edited, capsys):
    assert _strictly("train") == 2
    error = capsys.readouterr().err
    folder = "exper/tiny/largefov/prototxt"
    line = Path(folder, "train.prototxt").read_text().splitlines().index("    dilation: 6") + 1
    fc6 = f"fc6 (Convolution): dilation is 12, but 6 in {folder}/train.prototxt:{line}, whose weights this net uses"
    assert f"{folder}: the nets compute different things:" in error
    assert re.search(rf"{folder}/test.prototxt:\d+:\d+: {re.escape(fc6)}\n", error)
    assert re.search(rf"{folder}/deploy.prototxt:\d+:\d+: {re.escape(fc6)}\n", error)
    assert "`deeplab prototxt sync prototxt/voc12/largefov` carries the edits" in error
    assert "--allow-different-nets goes on as they are" in error and not Path("exper/tiny/largefov/model").exists()
    assert cli.main(["prototxt", "sync", "prototxt/voc12/largefov"]) == 0
    assert _strictly("train") == 0
    assert list(_fc6(f"{folder}/test.prototxt").dilation) == list(_fc6(f"{folder}/deploy.prototxt").pad) == [6]
    assert _strictly("test") == 0
    _edit({"dilation: 6": "dilation: 4", "pad: 6": "pad: 4"})
    assert _strictly("test") == 0  # the nets of the experiment are still equal
    test = Path(folder, "test.prototxt")
    test.write_text(test.read_text().replace("dilation: 6", "dilation: 5").replace("pad: 6", "pad: 5"))
    assert _strictly("test") == 2
    assert "test.prototxt" in capsys.readouterr().err


def test_what_cannot_be_carried_over_is_an_error(edited, capsys):
    _edit({'name: "fc7"': 'name: "fc_seven"'})
    assert _deeplab("train") == 2
    assert "cannot be transplanted to exper/tiny/largefov/prototxt/train.prototxt" in capsys.readouterr().err


def test_edits_on_the_nets_own_data_are_named(edited):
    assert hand_edits(published("voc12/largefov")) == {str(NET): [EDIT]}


def test_edits_are_those_of_the_text_that_they_started_from(edited):
    """Also where the generator makes another one today."""
    earlier = (REPOSITORY / NET).read_text().partition("\n\n")[2].replace("num_output: 1024", "num_output: 512")
    write_files(edited.parent, {edited.name: sign("A net.", "deeplab prototxt voc12/largefov", earlier)}, force=True)
    _edit({"dilation: 12": "dilation: 6", "pad: 12": "pad: 6"})
    assert hand_edits(published("voc12/largefov")) == {str(NET): [EDIT]}
    shutil.rmtree(edited.parent / ".generated")
    [lines] = hand_edits(published("voc12/largefov")).values()
    assert any("num_output 1024 → 512" in line for line in lines)
    assert lines[-1] == "compared with what its command makes now, the text before is not known"


def test_nothing_is_named_where_nothing_was_edited(edited):
    NET.write_text((REPOSITORY / NET).read_text())
    assert hand_edits(published("voc12/largefov")) == {}
    NET.write_text((REPOSITORY / NET).read_text() + "# a remark\n")
    assert hand_edits(published("voc12/largefov")) == {}


def test_a_data_set_that_is_not_there_says_what_draws_it(edited, capsys):
    assert cli.main(["train", "voc_largefov", "--data", "data/synthetic/dataset.toml"]) == 2
    assert "run `deeplab data demo` to draw it" in capsys.readouterr().err
