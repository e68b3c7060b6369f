"""Bundles: a model in one file gives the labels of its experiment, and is checked when it is read."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deeplab_caffe import Segmenter, cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.bundle import MANIFEST, MEMBERS, Unpacked, is_bundle, read_bundle, refuse_bundle
from deeplab_caffe.formats.bundle import verify_bundle as verify
from deeplab_caffe.prediction.model import model_of_files
from experiment.conftest import TINY, make_tiny

CRF = CRFParameters(w1=4, sigma_alpha=20, sigma_beta=5)
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with an experiment exp that is trained, tested and evaluated, and its bundle tiny.deeplab."""
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_tiny(folder)
        for stage in ("data", "prototxt", "train", "test", "crf", "evaluate"):
            flags = read_by(stage, ["--preset", "default", *TINY])
            assert cli.main([stage, "demo", "--data", "tiny.toml", "--exp", "exp", *flags]) == 0
        CRF.save(folder / "exp/crf/parameters.json")
        assert cli.main(["bundle", "exp", "-o", "tiny.deeplab", "--note", "for tests"]) == 0
        yield folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the bundle alone."""
    shutil.copy(trained / "tiny.deeplab", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 44, 3)).astype(np.uint8)


# -- what is in it, and what it is good for


def test_labels_are_those_of_the_experiment(trained: Path, here: Path) -> None:
    """With the crop and the scale of its test net, and with the CRF parameters that it found."""
    own, other = Segmenter.load("tiny.deeplab"), Segmenter.load(trained / "exp")
    found, wanted = own.predict(picture()), other.predict(picture())
    assert np.array_equal(found.maps.values, wanted.maps.values) and found.maps.size == wanted.maps.size == (41, 49)
    assert own.crf == CRF and own.classes == ("ground", "red", "blue")
    assert np.array_equal(found.refined().labels, wanted.refined().labels)
    assert own.origin == "mean and scale of tiny.deeplab/test.prototxt"


def test_predict_names_the_bundle_and_goes_on_where_it_stopped(here: Path, capsys: Captured) -> None:
    cv2.imwrite("a.png", picture())
    words = ["predict", "a.png", "--exp", "tiny.deeplab", "-o", "out", "--crf"]
    assert cli.main(words) == 0
    record = json.loads(Path("out/predict.json").read_text())
    assert record["net"] == "tiny.deeplab/deploy.prototxt" and record["weights"] == "tiny.deeplab/weights.caffemodel"
    assert Path("out/labels_crf/a.png").is_file()
    capsys.readouterr()
    assert cli.main(words) == 0  # its temporary folder has another name now
    assert "0 predicted, 1 were finished before" in capsys.readouterr().out
    Path("elsewhere").mkdir()
    os.rename("tiny.deeplab", "elsewhere/moved.deeplab")
    words[3] = "elsewhere/moved.deeplab"
    assert cli.main(words) == 0
    assert "0 predicted, 1 were finished before" in capsys.readouterr().out


def test_results_of_an_experiment_are_those_of_its_bundle(trained: Path, here: Path, capsys: Captured) -> None:
    cv2.imwrite("a.png", picture())
    assert cli.main(["predict", "a.png", "--exp", str(trained / "exp"), "-o", "out"]) == 0
    assert cli.main(["predict", "a.png", "--exp", "tiny.deeplab", "-o", "out"]) == 0
    assert "0 predicted, 1 were finished before" in capsys.readouterr().out


def test_results_of_other_colours_are_not_taken_for_finished(here: Path, capsys: Captured) -> None:
    cv2.imwrite("a.png", picture())
    assert cli.main(["bundle", "extract", "tiny.deeplab", "-o", "files"]) == 0
    described = Path("files/dataset.toml")
    words = ["predict", "a.png", "--net", "files/deploy.prototxt", "--weights", "files/weights.caffemodel"]
    words += ["--data", str(described), "-o", "out"]
    assert cli.main(words) == 0
    described.write_text(described.read_text().replace("[128, 0, 0]", "[128, 0, 1]"))
    assert cli.main(words) == 2
    assert "out: holds predictions with other colours; use" in capsys.readouterr().err


def test_the_same_model_gives_the_same_bytes(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    os.utime("exp/prototxt/deploy.prototxt")
    assert cli.main(["bundle", "exp", "-o", str(tmp_path / "again.deeplab"), "--note", "for tests"]) == 0
    assert (tmp_path / "again.deeplab").read_bytes() == Path("tiny.deeplab").read_bytes()


def test_no_image_and_no_list_is_in_it(here: Path) -> None:
    manifest = json.loads(zipfile.ZipFile("tiny.deeplab").read(MANIFEST))
    (listed,) = manifest["provenance"]["trained_on"].values()
    assert listed["images"] == 5 and len(listed["sha256"]) == 64  # one of six was held out
    with zipfile.ZipFile("tiny.deeplab") as packed:
        for name in ("test.prototxt", "dataset.toml", "evaluation.json", "crf.json"):
            assert b"/images/" not in packed.read(name) and b".txt" not in packed.read(name)


def test_show_says_what_it_contains(here: Path, capsys: Captured) -> None:
    assert cli.main(["bundle", "show", "tiny.deeplab"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "model tiny/largefov; ",
        "note for tests",
        "classes 3: ground, red, blue",
        "weights train_iter_4.caffemodel protocol scale 1",
        "on the list val, scale 1",
        '"sigma_alpha": 20.0',
        "(5 images)",
        "deeplab all demo --data tiny.toml --exp exp",
        "numpy ",
        "all hashes agree",
    ):
        assert words in said
    assert cli.main(["bundle", "show", "tiny.deeplab", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["finished"] is True


def test_scores_of_other_weights_are_said_to_be(trained: Path, tmp_path: Path, capsys: Captured) -> None:
    shutil.copytree(trained / "exp", tmp_path / "exp")
    words = ["--weights", str(tmp_path / "exp/model/train_iter_2.caffemodel"), "-o", str(tmp_path / "b.deeplab")]
    assert cli.main(["bundle", str(tmp_path / "exp"), *words]) == 0
    assert "is a snapshot: its training is not finished" in capsys.readouterr().err
    assert cli.main(["bundle", "show", str(tmp_path / "b.deeplab")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of other weights than these: train_iter_4.caffemodel" in said and "training was not finished" in said


def test_extracted_files_give_the_same_labels_and_can_be_bundled_again(here: Path, capsys: Captured) -> None:
    assert cli.main(["bundle", "extract", "tiny.deeplab"]) == 0
    assert sorted(path.name for path in Path("tiny").iterdir()) == sorted(zipfile.ZipFile("tiny.deeplab").namelist())
    files = ["--net", "tiny/deploy.prototxt", "--weights", "tiny/weights.caffemodel", "--dataset", "tiny/dataset.toml"]
    assert cli.main(["bundle", *files, "-o", "new.deeplab"]) == 0
    first, second = (Segmenter.load(name).predict(picture()) for name in ("tiny.deeplab", "new.deeplab"))
    assert np.array_equal(first.maps.values, second.maps.values) and second.classes == first.classes
    assert cli.main(["bundle", "extract", "tiny.deeplab"]) == 2
    assert "-o tiny: exists already; expected a new folder" in capsys.readouterr().err


def test_without_a_data_set_classes_are_numbers(here: Path) -> None:
    assert cli.main(["bundle", "extract", "tiny.deeplab", "-o", "ex"]) == 0
    words = ["--net", "ex/deploy.prototxt", "--weights", "ex/weights.caffemodel", "--scales", "0.5,1", "--flip"]
    assert cli.main(["bundle", *words, "-o", "b.deeplab"]) == 0
    model = Segmenter.load("b.deeplab")
    assert model.predict(picture()).classes == ("class 0", "class 1", "class 2")
    assert str(model.protocol) == "scales 0.5, 1; mirrored too"


@pytest.mark.parametrize(
    "words",
    [
        "prototxt inspect {}",
        "prototxt lint {}",
        "prototxt view {} -o view.html",
        "prototxt diff {} {}",
        "weights show {}",
        "weights check {}",
        "weights diff {} {}",
        "weights convert {} w.caffemodel.h5",
        "weights port {} --to {} -o w.caffemodel",
        "export torch {} -o net.py",
    ],
)
def test_commands_that_take_a_net_or_weights_take_it(here: Path, words: str, capsys: Captured) -> None:
    assert cli.main(words.format("tiny.deeplab", "tiny.deeplab").split()) == 0
    said = capsys.readouterr()
    assert "deeplab-bundle" not in said.out + said.err  # the temporary folder is not named
    assert list((here / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("train demo --exp {}", "a stage needs an experiment"),
        ("test {}", "a stage needs an experiment"),
        ("crf {}", "a stage needs an experiment"),
        ("crf-search {}", "the search needs an experiment"),
        ("compare a={}", "then compare FOLDER/labels"),
        ("submit voc12 {}", "then submit --results FOLDER/labels"),
        ("score --results {} --dataset voc12 --list val", "then score --results FOLDER/labels"),
        ("ledger --add {}", "the ledger needs the experiment's folder"),
        ("dataset check {}", "dataset.toml"),
        ("prototxt format {}", "write its files"),
        ("prototxt lint --fix {}", "is a bundle, which is not changed"),
        ("bundle {} -o new.deeplab", "copy the file"),
        ("predict a.png --exp {} --stage 1", "has the weights of one stage"),
        ("predict a.png --net {} --weights x.caffemodel", "use it alone, as --exp"),
    ],
)
def test_commands_that_need_more_say_what_to_do(here: Path, words: str, what: str, capsys: Captured) -> None:
    before = Path("tiny.deeplab").read_bytes()
    assert cli.main(words.format("tiny.deeplab").split()) == 2
    said = capsys.readouterr().err
    assert "tiny.deeplab" in said and what in said and len(said.splitlines()) == 1
    assert Path("tiny.deeplab").read_bytes() == before


def test_classes_and_crf_parameters_are_taken_from_it(here: Path, capsys: Captured) -> None:
    make_tiny(here)
    words = ["score", "--results", "labels", "--dataset", "tiny.deeplab", "--list", "val.txt", "--labels", "labels"]
    assert cli.main(words) == 0
    assert "blue" in capsys.readouterr().out
    os.makedirs("scores")
    np.save("scores/i1.npy", np.random.default_rng(0).standard_normal((3, 10, 12)).astype(np.float32))
    words = ["crf", "--scores", "scores", "--images", "images", "-o", "out", "--exif", "ignore", "--size", "image"]
    assert cli.main([*words, "--parameters", "tiny.deeplab"]) == 0
    assert "w1 4, sigma_alpha 20, sigma_beta 5" in capsys.readouterr().out


# -- the temporary folder


def test_a_bundle_is_unpacked_privately_and_removed(here: Path) -> None:
    unpacked = Unpacked("tiny.deeplab")
    assert unpacked.folder.stat().st_mode & 0o777 == 0o700 and unpacked.folder.parent == here / "tmp"
    del unpacked
    assert list((here / "tmp").iterdir()) == []
    Path("cut.deeplab").write_bytes(Path("tiny.deeplab").read_bytes()[:-30])
    with pytest.raises(InputError):
        Unpacked("cut.deeplab")
    assert list((here / "tmp").iterdir()) == []


def test_threads_may_load_one_bundle(here: Path) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(Segmenter.load("tiny.deeplab"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [model.predict(picture()).maps.values for model in found]
    assert len(values) == 3 and all(np.array_equal(values[0], each) for each in values)


def test_a_full_disk_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, piece: Any) -> int:
            raise OSError(28, "No space left on device")

    real = open
    writes = lambda path, mode="r", *rest, **named: Full() if mode == "xb" else real(path, mode, *rest, **named)  # noqa: E731
    monkeypatch.setattr("deeplab_caffe.formats.bundle.open", writes, raising=False)
    with pytest.raises(InputError, match=r"tiny\.deeplab: cannot unpack into .*TMPDIR.*: No space left on device"):
        Unpacked("tiny.deeplab")


# -- damaged and hostile files


def rewritten(change: Callable[[dict[str, bytes], dict[str, Any]], None], sums: bool = True, **flags: Any) -> Path:
    """A copy of the bundle whose members or manifest are changed; with `sums` the manifest has the hashes of all."""
    import hashlib

    with zipfile.ZipFile("tiny.deeplab") as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    manifest = json.loads(members.pop(MANIFEST))
    change(members, manifest)
    if sums:
        sizes = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in members.items()}
        manifest["members"] = sizes
    with zipfile.ZipFile("bad.deeplab", "w", flags.get("method", zipfile.ZIP_STORED)) as packed:
        packed.writestr(MANIFEST, flags.get("manifest") or json.dumps(manifest))
        for name, content in members.items():
            packed.writestr(flags.get("info", lambda n: n)(name), content)
    return Path("bad.deeplab")


def other_weights(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["weights.caffemodel"] = members["weights.caffemodel"][:-1] + b"?"


@pytest.mark.parametrize(
    ("change", "sums", "message"),
    [
        (other_weights, False, "'weights.caffemodel': its bytes are not those that bundle.json states"),
        (lambda m, _: m.update({"dataset.toml": b"name = 1"}), False, "'dataset.toml': its bytes are not those"),
        (lambda m, _: m.update({"run.py": b""}), True, "'run.py': no member of a bundle; expected bundle.json"),
        (lambda m, _: m.update({"../crf.json": b""}), True, "'../crf.json': no member of a bundle"),
        (lambda m, _: m.update({"/etc/crf.json": b""}), True, "'/etc/crf.json': no member of a bundle"),
        (lambda m, _: m.update({"sub/": b""}), True, "'sub/': is missing"),
        (lambda m, _: m.pop("deploy.prototxt"), True, "'deploy.prototxt': is missing"),
        (lambda m, _: m.pop("weights.caffemodel"), True, "'weights.caffemodel': expected one of"),
        (lambda m, _: m.update({"weights.caffemodel.h5": b"x"}), True, "'weights.caffemodel': expected one of"),
        (lambda m, _: m.pop("crf.json"), False, "'crf.json': is missing"),
        (lambda _, f: f["members"].pop("crf.json"), False, "'crf.json': is not listed in bundle.json"),
        (lambda _, f: f.update(version=2), True, "a bundle of version 2; this program reads 1; update"),
        (lambda _, f: f.update(version="1"), True, "a bundle of version '1'; this program reads 1"),
        (lambda _, f: f.update(format="x"), True, "'bundle.json': expected \"format\""),
        (lambda _, f: f.update(note=3), True, "'bundle.json': 'note' is 3; expected a str"),
        (lambda m, _: m.update({"deploy.prototxt": b"\xff"}), True, "deploy.prototxt: not UTF-8 text"),
        (lambda m, _: m.update({"crf.json": bytes((1 << 20) + 1)}), True, "'crf.json': has 1,048,577 bytes; expected"),
    ],
)
def test_what_is_not_as_the_manifest_says_is_refused(
    here: Path, change: Callable[..., None], sums: bool, message: str
) -> None:
    path = rewritten(change, sums)
    with pytest.raises(InputError) as caught:
        verify(path)
    assert str(caught.value).startswith("bad.deeplab: ") and message in str(caught.value)


def as_link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16 if name == "crf.json" else 0
    return info


def test_links_copies_and_other_compressions_are_refused(here: Path) -> None:
    with pytest.raises(InputError, match=r"'crf.json': a link, expected a file"):
        verify(rewritten(lambda *_: None, info=as_link))
    with pytest.raises(InputError, match=r"compressed by method 14"):
        verify(rewritten(lambda *_: None, method=zipfile.ZIP_LZMA))
    with pytest.raises(InputError, match=r"'bundle.json': is compressed, expected a member as it is"):
        verify(rewritten(lambda *_: None, method=zipfile.ZIP_DEFLATED))
    path = rewritten(lambda *_: None)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as packed:
        packed.writestr("crf.json", b"{}")
    with pytest.raises(InputError, match=r"'crf.json': is there twice"):
        verify(path)
    content = bytearray(rewritten(lambda *_: None).read_bytes())
    at = content.rindex(b"PK\1\2")  # the last member is the weights: its flag says that it is encrypted
    content[at + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"'weights\.caffemodel': encrypted, expected a file"):
        verify(path)


def test_many_members_are_refused_before_they_are_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rewritten(lambda m, _: m.update({f"{i}": b"" for i in range(1000)}))
    monkeypatch.setattr("zipfile.ZipFile", None)
    with pytest.raises(InputError, match=f"has 1007 members; expected at most {len(MEMBERS)}"):
        read_bundle(path)
    content = path.read_bytes()  # an end of few members, which the end of a zip beyond 4 GB before it contradicts
    few = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5, 5, 100, 0, 0)
    path.write_bytes(content[:-22] + struct.pack("<4sLQL", b"PK\6\7", 0, len(content) - 22, 1) + few)
    with pytest.raises(InputError, match="it has the headers of an archive beyond 4 GB"):
        read_bundle(path)


def test_a_size_that_the_header_does_not_say_is_refused(here: Path) -> None:
    path = rewritten(lambda *_: None)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\1\2")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")  # the weights unpack to more
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.deeplab: "):
        verify(path)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ('type: "Python" bottom: "data" python_param { module: "os" layer: "x" }', "runs Python code"),
        ('type: "HDF5Data" hdf5_data_param { source: "/etc/passwd" batch_size: 1 }', "reads or writes files"),
        ('type: "MatWrite" bottom: "data" mat_write_param { prefix: "/tmp/x" }', "reads or writes files"),
        (
            'type: "InfogainLoss" bottom: "data" bottom: "data" infogain_loss_param { source: "/etc/passwd" }',
            "names the file '/etc/passwd'",
        ),
        (
            'type: "Python" python_param { module: "deeplab_layers" layer: "MatRead" param_str: "{\'prefix\': 1}" }',
            "runs Python code",
        ),
        (
            'type: "Python" python_param { module: "deeplab_layers" layer: "MatRead" param_str: \'{"prefix": "/"}\' }',
            "reads or writes files",
        ),
    ],
)
def test_a_net_that_needs_more_than_the_bundle_is_refused(here: Path, layer: str, message: str) -> None:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        members["deploy.prototxt"] += f'\nlayer {{ name: "more" {layer} top: "more" }}\n'.encode()

    with pytest.raises(InputError, match=rf"bad\.deeplab/deploy\.prototxt:\d+:1: layer 'more' .*{message}"):
        Segmenter.load(rewritten(change))


def test_errors_name_the_bundle(here: Path) -> None:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        members["weights.caffemodel"] = members["weights.caffemodel"][:-9]

    with pytest.raises(InputError, match=r"^bad\.deeplab/weights\.caffemodel: truncated"):
        Segmenter.load(rewritten(change))
    with pytest.raises(InputError, match=r"bad\.deeplab: bundle\.json: 'testing': "):
        Segmenter.load(rewritten(lambda _, f: f.update(testing={"scales": 3})))
    with pytest.raises(InputError, match=r"^bad\.deeplab/crf\.json: "):
        Segmenter.load(rewritten(lambda m, _: m.update({"crf.json": b"[]"})))
    with pytest.raises(InputError, match=r"^none\.deeplab: cannot read the bundle: No such file or directory"):
        Segmenter.load("none.deeplab")


def test_show_copes_with_any_manifest(here: Path, capsys: Captured) -> None:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest |= {"name": "a\x1b[31m\nb", "model": {"values": "x", "classes": 3}, "testing": {"scales": None}}
        manifest |= {"scores": {"mean_iou": [1]}, "provenance": {"trained_on": {"l": 3}, "initial_weights": 5}}

    assert cli.main(["bundle", "show", str(rewritten(change))]) == 0
    assert "a?[31m?b" in capsys.readouterr().out


# -- what is one, and what is written


def test_what_a_bundle_is(here: Path) -> None:
    shutil.copy("tiny.deeplab", "renamed.zip")
    os.makedirs("folder.deeplab")
    Path("other.zip").write_bytes(b"PK\3\4" + bytes(60))
    names = ("tiny.deeplab", "renamed.zip", "none.deeplab", "folder.deeplab", "other.zip", "none", "/dev/null")
    assert [is_bundle(name) for name in names] == [True, True, True, False, False, False, False]
    refuse_bundle(None, ""), refuse_bundle("other.zip", "")


def test_what_does_not_work_is_not_handed_on(trained: Path, here: Path, capsys: Captured) -> None:
    model = model_of_files(trained / "exp/prototxt/deploy.prototxt", trained / "exp/model/train_iter_4.caffemodel")
    words = ["bundle", "--net", str(model.net), "--weights", str(model.weights), "-o", "b.deeplab"]
    assert cli.main([*words, "--data", "voc12"]) == 2
    assert "has 3 classes, but datasets/voc12.toml names 21" in capsys.readouterr().err
    assert cli.main([*words[:-1], "b.zip"]) == 2
    assert "-o b.zip: expected a file whose name ends in .deeplab" in capsys.readouterr().err
    net = Path("extra.prototxt")
    more = 'layer { name: "more" type: "Convolution" bottom: "data" top: "m" convolution_param { num_output: 1 %s } }'
    net.write_text(model.net.read_text() + more % 'kernel_size: 1 weight_filler { type: "xavier" }')
    assert cli.main(["bundle", "--net", str(net), *words[3:]]) == 2
    said = capsys.readouterr().err
    assert "has no weights for 1 of its layers: more; give weights of this net\n" in said
    for given, message in (
        (["bundle", "-o", "b.deeplab"], "which model?"),
        (["bundle", "exp", "--net", "x", "-o", "b.deeplab"], "which model?"),
        (["bundle", "exp", "--data", "voc12", "-o", "b.deeplab"], "--data is for --net"),
        (["bundle", "--net", "x", "-o", "b.deeplab"], "its weights are missing"),
        (["bundle", "nothing", "-o", "b.deeplab"], "nothing: no such experiment"),
    ):
        assert cli.main(given) == 2
        assert message in capsys.readouterr().err
    assert not Path("b.deeplab").exists()
