"""`deeplab voc-data` on a VOC and an SBD of a few images, served on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile

import cv2
import numpy as np
import pytest
import scipy.io

from deeplab_caffe.cli import main
from deeplab_caffe.data import build_augmented, read_label, write_label
from deeplab_caffe.data.builders import voc12 as voc
from deeplab_caffe.errors import InputError

TRAIN, VAL = ["2007_1", "2007_2"], ["2007_3", "2007_4"]
SBD_TRAIN, SBD_VAL = ["2007_1", "2007_3", "2008_5"], ["2008_6", "2008_7"]
OWN, THEIRS, BORDER = 3, 15, 255


def write_sbd_label(path, value=THEIRS):
    segmentation = np.full((6, 8), value, np.uint8)
    fields = {"Segmentation": segmentation, "Boundaries": np.empty((20, 1), object), "CategoriesPresent": [[value]]}
    fields["Boundaries"].fill(np.zeros((6, 8)))
    scipy.io.savemat(path, {"GTcls": fields}, do_compression=True)


def make_trees(folder):
    root, sbd = folder / "VOCdevkit" / "VOC2012", folder / "benchmark_RELEASE" / "dataset"
    for place in (root / "ImageSets/Segmentation", root / "JPEGImages", sbd / "cls", sbd / "img"):
        place.mkdir(parents=True)
    for part, ids in (("train", TRAIN), ("val", VAL)):
        (root / f"ImageSets/Segmentation/{part}.txt").write_text("".join(f"{i}\n" for i in ids))
    label = np.full((6, 8), OWN, np.uint8)
    label[0] = BORDER
    for name in TRAIN + VAL:
        write_label(root / f"SegmentationClass/{name}.png", label)
    for name in {*TRAIN, *VAL, *SBD_TRAIN, *SBD_VAL}:
        cv2.imwrite(str(root / f"JPEGImages/{name}.jpg"), np.zeros((6, 8, 3), np.uint8))
    (sbd / "train.txt").write_text("\n".join(SBD_TRAIN) + "\n")
    (sbd / "val.txt").write_text("\n".join(SBD_VAL) + "\n")
    for name in SBD_TRAIN + SBD_VAL:
        write_sbd_label(sbd / f"cls/{name}.mat")
        (sbd / f"img/{name}.jpg").write_bytes(b"jpeg")


def pack(folder, name, mode):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        tar.add(folder / name, name)
    return stream.getvalue()


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """The two archives by name; their sums and counts stand in for the real ones."""
    make_trees(tmp_path / "original")
    packed = {}
    for constant, top, mode in (("VOC_ARCHIVE", "VOCdevkit", "w"), ("SBD_ARCHIVE", "benchmark_RELEASE", "w:gz")):
        archive = getattr(voc, constant)
        packed[archive.name] = pack(tmp_path / "original", top, mode)
        md5 = hashlib.md5(packed[archive.name]).hexdigest()
        monkeypatch.setattr(voc, constant, dataclasses.replace(archive, md5=md5))
    for name, count in {"train": 2, "val": 2, "trainval": 4, "train_aug": 5, "trainval_aug": 7}.items():
        monkeypatch.setitem(voc.COUNTS, name, count)
    return packed


def voc_data(folder, *arguments):
    return main(["voc-data", "--folder", str(folder), *map(str, arguments)])


def test_from_a_server_to_the_lists(tmp_path, server, archives, capsys):
    server.files = {f"/mirror/{name}": content for name, content in archives.items()}
    server.cuts = [5000]
    data = tmp_path / "data"
    assert voc_data(data, "--source", server.address + "/mirror/") == 0
    out, err = capsys.readouterr()
    assert "train 2, val 2, trainval 4, train_aug 5, trainval_aug 7" in out and "warning" not in err
    root = data / "VOCdevkit/VOC2012"
    lines = (root / "list/train_aug.txt").read_text().splitlines()
    names = ["2007_1", "2007_2", "2008_5", "2008_6", "2008_7"]
    assert lines == [f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png" for name in names]
    own, theirs = (read_label(root / f"SegmentationClassAug/{name}.png") for name in ("2007_1", "2008_5"))
    assert own[1:].tolist() == [[OWN] * 8] * 5 and (own[0] == BORDER).all() and (theirs == THEIRS).all()
    assert not (data / "benchmark_RELEASE/dataset/img").exists()

    asked = len(server.asked)
    assert voc_data(data, "--source", server.address + "/mirror") == 0
    assert len(server.asked) == asked, "what is there is not fetched again"
    out, err = capsys.readouterr()
    assert "already there; images in the lists: train 2" in out and "unpacking" not in err
    assert main(["dataset", "voc12", "--folder", str(data)]) == 0, "another name of the same command"
    assert capsys.readouterr().out == out


def test_from_a_folder(tmp_path, archives, capsys):
    source = tmp_path / "usb"
    source.mkdir()
    for name, content in archives.items():
        (source / name).write_bytes(content)
    assert voc_data(tmp_path / "data", "--source", source, "--no-download") == 0
    assert "trainval_aug 7" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["VOCdevkit", "benchmark_RELEASE"]
    (source / "benchmark.tgz").unlink()
    assert voc_data(tmp_path / "data2", "--source", source) == 2
    assert "benchmark.tgz: does not exist" in capsys.readouterr().err
    assert voc_data(tmp_path / "data2", "--source", tmp_path / "absent") == 2
    assert "absent: no such folder" in capsys.readouterr().err


def test_archives_that_lie_there_are_used(tmp_path, archives, capsys):
    for name, content in archives.items():
        (tmp_path / name).write_bytes(content)
    assert voc_data(tmp_path) == 0
    assert "fetching" not in capsys.readouterr().err


def test_damaged_archive_that_lies_there(tmp_path, archives, capsys):
    (tmp_path / voc.VOC_ARCHIVE.name).write_bytes(archives[voc.VOC_ARCHIVE.name][:-1000])
    assert voc_data(tmp_path) == 2
    assert "VOCtrainval_11-May-2012.tar: its md5 is" in capsys.readouterr().err


def test_damaged_sbd_that_lies_there_is_no_missing_one(tmp_path, archives, capsys):
    (tmp_path / voc.VOC_ARCHIVE.name).write_bytes(archives[voc.VOC_ARCHIVE.name])
    (tmp_path / voc.SBD_ARCHIVE.name).write_bytes(b"x")
    assert voc_data(tmp_path, "--no-download") == 2
    assert "benchmark.tgz: its md5 is" in capsys.readouterr().err


def test_nothing_there_and_no_download(tmp_path, archives, capsys):
    assert voc_data(tmp_path / "data", "--no-download") == 2
    err = capsys.readouterr().err
    assert f"train.txt and {tmp_path / 'data' / voc.VOC_ARCHIVE.name} do not exist. " in err
    assert f"Download {voc.VOC_ARCHIVE.url} (2.0 GB), put it there and run" in err
    assert f"benchmark.tgz does not exist: {voc.SBD_ARCHIVE.url} (1.4 GB)" in err


def test_voc_alone_gives_its_own_lists(tmp_path, archives, capsys):
    (tmp_path / voc.VOC_ARCHIVE.name).write_bytes(archives[voc.VOC_ARCHIVE.name])
    assert voc_data(tmp_path, "--no-download") == 0
    out, err = capsys.readouterr()
    assert "trainval 4, train_aug 0" in out
    assert (
        "note: train_aug and trainval_aug are not written: " in err
        and "warning: trainval_aug has 0 images, but the published list has 7" in err
    )


def test_sbd_that_cannot_be_fetched_leaves_vocs_lists(tmp_path, server, archives, capsys):
    server.files = {f"/{voc.VOC_ARCHIVE.name}": archives[voc.VOC_ARCHIVE.name]}
    assert voc_data(tmp_path, "--source", server.address) == 2
    assert "benchmark.tgz: the server answered 404" in capsys.readouterr().err
    assert len((tmp_path / "VOCdevkit/VOC2012/list/trainval.txt").read_text().splitlines()) == 4


def test_archive_that_lacks_files(tmp_path, archives, capsys, monkeypatch):
    missing = tmp_path / "original/VOCdevkit/VOC2012/JPEGImages/2007_4.jpg"
    missing.unlink()
    content = pack(tmp_path / "original", "VOCdevkit", "w")
    archive = dataclasses.replace(voc.VOC_ARCHIVE, md5=hashlib.md5(content).hexdigest())
    monkeypatch.setattr(voc, "VOC_ARCHIVE", archive)
    (tmp_path / voc.VOC_ARCHIVE.name).write_bytes(content)
    assert voc_data(tmp_path) == 2
    assert "unpacked, but " in (err := capsys.readouterr().err) and "2007_4.jpg is still missing" in err


@pytest.fixture
def trees(tmp_path):
    make_trees(tmp_path)
    return tmp_path / "VOCdevkit/VOC2012", tmp_path / "benchmark_RELEASE/dataset"


def test_augmented_labels_are_kept_and_gone_on_with(trees):
    root, sbd = trees
    write_label(root / "SegmentationClassAug/2008_5.png", np.full((6, 8), 9))
    (root / "SegmentationClassAug/.2008_6-abc.png").touch()  # of a run that was killed
    assert build_augmented(root, sbd, progress=False) == sorted({*TRAIN, *VAL, *SBD_TRAIN, *SBD_VAL})
    assert (read_label(root / "SegmentationClassAug/2008_5.png") == 9).all()
    voc.write_voc_lists(root)
    assert len((root / "list/trainval_aug.txt").read_text().splitlines()) == 7


def test_faulty_sbd_labels_are_named(trees):
    root, sbd = trees
    path = sbd / "cls/2008_6.mat"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"2008_6\.mat: damaged or not a label of SBD"):
        build_augmented(root, sbd, progress=False)
    scipy.io.savemat(path, {"GTinst": 1})
    with pytest.raises(InputError, match=r"2008_6\.mat: damaged or not a label of SBD \(has no variable"):
        build_augmented(root, sbd, progress=False)
    scipy.io.savemat(path, {"GTcls": {"Segmentation": np.zeros((2, 2))}})
    with pytest.raises(InputError, match=r"2008_6\.mat: expected GTcls.* uint8, got float64 of shape \(2, 2\)"):
        build_augmented(root, sbd, progress=False)
    scipy.io.savemat(path, {"GTcls": {"Segmentation": np.ones((2, 2), np.uint8)}})
    with pytest.raises(InputError, match=r"2008_6\.mat: the label has 2×2 pixels, but its image .*2008_6\.jpg has 8×6"):
        build_augmented(root, sbd, progress=False)
    write_sbd_label(path, 33)
    with pytest.raises(InputError, match=r"2008_6\.mat: label value 33"):
        build_augmented(root, sbd, progress=False)
    path.unlink()
    with pytest.raises(InputError, match=r"2008_6\.mat: does not exist"):
        build_augmented(root, sbd, progress=False)
    (sbd / "val.txt").unlink()
    with pytest.raises(InputError, match=r"val\.txt: does not exist; expected SBD's folder"):
        build_augmented(root, sbd, progress=False)
