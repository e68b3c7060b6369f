"""Batches: folders of score maps in every format, files that are damaged, the command."""

from __future__ import annotations

import errno
import os
import re

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image

from deeplab_caffe.cli import main
from deeplab_caffe.crf import CRFParameters, crf_labels, dense_crf, resize_scores
from deeplab_caffe.crf.batch import Failure, Refiner, RefineSummary, batch_tasks, refine_batch
from deeplab_caffe.data import read_label, write_label
from deeplab_caffe.data.bin_files import open_bin, write_bin
from deeplab_caffe.data.score_maps import open_score_map
from deeplab_caffe.errors import InputError

PARAMETERS = CRFParameters(4, 12, 5, iterations=5)
FLAGS = ["--w1", "4", "--sigma-alpha", "12", "--sigma-beta", "5", "--iterations", "5"]


def softmax(scores):
    e = np.exp(scores - scores.max(0))
    return e / e.sum(0)


@pytest.fixture
def folders(scene, tmp_path):
    """Two folders, scores and images, that hold the scenes a, b and c; and what the CRF makes of them."""
    scores, images = tmp_path / "scores", tmp_path / "images"
    scores.mkdir()
    images.mkdir()
    expected = {}
    for seed, name in enumerate("abc"):
        image, small, _ = scene(seed)
        maps = resize_scores(small, image.shape[:2])
        cv2.imwrite(str(images / f"{name}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        np.save(scores / f"{name}.npy", maps)
        expected[name] = crf_labels(image, -maps, PARAMETERS)
    return scores, images, tmp_path / "out", expected


def refine(folders, **options):
    scores, images, out, _ = folders
    return refine_batch(batch_tasks(scores, images), Refiner(PARAMETERS, out, **options), quiet=True)


def write_mat(path, maps):
    scipy.io.savemat(path.with_name(f"{path.stem}_blob_0.mat"), {"data": maps[None].transpose(3, 2, 1, 0)})


def write_pngs(path, maps):
    folder = path.with_suffix("")
    folder.mkdir()
    for number, probabilities in enumerate(softmax(maps)):
        cv2.imwrite(str(folder / f"{number}.png"), np.round(65535 * probabilities).astype(np.uint16))


WRITERS = {
    "mat": write_mat,
    "npz": lambda path, maps: np.savez(path.with_suffix(".npz"), maps),
    "probabilities": lambda path, maps: np.save(path, softmax(maps)),
    "bin": lambda path, maps: write_bin(path.with_suffix(".bin"), softmax(maps), "<f4"),
    "double bin": lambda path, maps: write_bin(path.with_suffix(".bin"), softmax(maps), "<f8"),
    "png": write_pngs,
}


@pytest.mark.parametrize("form", WRITERS)
def test_maps_of_every_format_give_the_same_labels(folders, form):
    scores, _, out, expected = folders
    for name in "abc":
        maps = np.load(scores / f"{name}.npy")
        (scores / f"{name}.npy").unlink()
        WRITERS[form](scores / f"{name}.npy", maps)
    assert refine(folders) == (3, ())
    for name in "abc":
        differs = read_label(out / f"{name}.png") != expected[name]
        assert differs.mean() < (0.002 if form == "png" else 1e-9)


def test_every_output_holds_the_same_labels(folders, scene):
    scores, _, out, expected = folders
    assert refine(folders, formats=("png", "npy", "bin"), palette=np.array([[9, 8, 7]])).done == 3
    for name in "abc":
        probabilities = np.load(out / f"{name}.npy")
        image = scene("abc".index(name))[0]
        np.testing.assert_array_equal(probabilities, dense_crf(image, -np.load(scores / f"{name}.npy"), PARAMETERS))
        np.testing.assert_array_equal(open_bin(out / f"{name}.bin", "<i2")[0], expected[name])
        np.testing.assert_array_equal(read_label(out / f"{name}.png"), expected[name])
    colours = cv2.imread(str(out / "a.png"))[expected["a"] == 0]
    assert (colours == [7, 8, 9]).all()


def test_small_maps_are_enlarged_to_the_size_stated(folders, scene):
    scores, _, out, expected = folders
    for seed, name in enumerate("abc"):
        np.save(scores / f"{name}.npy", scene(seed)[1])
    summary = refine(folders)
    assert summary.done == 0 and "state the size of the net's input with --size" in summary.failures[0].message
    assert refine(folders, size="image").done == 3
    np.testing.assert_array_equal(read_label(out / "b.png"), expected["b"])
    assert refine(folders, size=(60, 78)).done == 3
    assert (read_label(out / "b.png") != expected["b"]).any()


def spoil_mat(scores, images):
    (scores / "b.npy").unlink()
    (scores / "b.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut off")


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def cut_ppm(scores, images):
    cv2.imwrite(str(images / "b.ppm"), cv2.imread(str(images / "b.png")))
    cut(images / "b.ppm")


def divide(scores, images):
    np.save(images / "b.npy", cv2.imread(str(images / "b.png")) / 255)


DAMAGE = {
    "a corrupt .mat": (spoil_mat, r"b\.mat: is not a MAT file of version 5"),
    "a cut .npy": (lambda s, i: cut(s / "b.npy"), r"b\.npy: cannot read scores: truncated, at 200 bytes"),
    "a zip file": (lambda s, i: (s / "b.npy").write_bytes(b"PK\3\4" + bytes(96)), r"b\.npy: .*: not a \.npy file"),
    "a cut .ppm": (cut_ppm, r"b\.ppm: cannot read the image: truncated, at 200 bytes"),
    "floats from 0 to 1": (divide, r"b\.npy: CRF: .* it was probably divided by 255"),
    "an unreadable image": (lambda s, i: (i / "b.png").write_bytes(b"no image"), r"b\.png: cannot read the image"),
    "no image": (lambda s, i: (i / "b.png").unlink(), "no image of 'b', which .*b.npy has scores of"),
    "NaN": (lambda s, i: np.save(s / "b.npy", np.full((4, 40, 52), np.nan)), r"b\.npy on .*b\.png: .*holds nan"),
    "sums": (lambda s, i: ((s / "b.npy").unlink(), write_bin(s / "b.bin", np.ones((4, 40, 52)), "<f4")), "sum to 4"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_reported_and_the_others_done(folders, damage, capsys):
    scores, images, out, expected = folders
    spoil, message = DAMAGE[damage]
    spoil(scores, images)
    command = ["crf", "--scores", str(scores), "--images", str(images), "-o", str(out), *FLAGS]
    assert main(command) == 2
    said = capsys.readouterr()
    assert "refined 2 images" in said.out and "1 images failed: b" in said.err
    assert re.search(f"b: .*{message}", said.err)
    for name in "ac":
        np.testing.assert_array_equal(read_label(out / f"{name}.png"), expected[name])
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png", "crf.json"]


def test_the_command_goes_on_from_what_is_done(folders, capsys):
    scores, images, out, _ = folders
    command = ["crf", "--scores", str(scores), "--images", str(images), "-o", str(out), *FLAGS]
    assert main(command) == 0
    before = (out / "a.png").stat().st_mtime_ns
    (out / "b.png").unlink()
    assert main([*command, "--keep"]) == 0
    assert (out / "b.png").exists() and (out / "a.png").stat().st_mtime_ns == before
    assert re.search("refined 1 images in .*, kept 2 existing results", capsys.readouterr().out)
    assert main([*command, "--keep", "--w2", "1.5"]) == 2
    message = capsys.readouterr().err
    assert "were made with" in message and "w2 1.5" in message and "Traceback" not in message
    os.utime(out / "c.png", ns=(0, 0))  # left by a run with other parameters, before the one that is gone on with
    assert main([*command, "--keep"]) == 0
    assert re.search("refined 1 images in .*, kept 2 existing results", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--images", "nowhere"], "nowhere: cannot list the folder of images"),
        (["--images", "{out}"], "have no names in common, for instance a"),
        (["--list", "{list}"], "hold nothing that the list names, for instance elsewhere"),
        (["-o", "{scores}"], "holds the input; name another folder"),
        (["--preset", "mine"], "no preset 'mine'"),
        (["-o", "{images}/a.png"], "a.png: results cannot be written there: File exists"),
        (["--size", "big"], "or image, but got 'big'"),
        (["--tile", "20"], "a tile of 20 pixels is too small for margins of 36"),
        (["--overlap", "nan"], "overlap is nan, wanted 0 or more"),
        (["--compact", "2"], "compact is 2, wanted a probability"),
        (["--workers", "0"], "--workers: expected at least 1 but got 0"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_what_the_command_cannot_use_is_one_line(folders, flags, message, capsys, monkeypatch):
    monkeypatch.setattr("deeplab_caffe.crf.pool.cluster._CONNECT_SECONDS", 1)
    scores, images, out, _ = folders
    out.mkdir()
    names = out.with_name("names.txt")
    names.write_text("elsewhere\n")
    flags = [flag.format(scores=scores, images=images, out=out, list=names) for flag in flags]
    command = ["crf", "--scores", str(scores), "--images", str(images), "-o", str(out), *FLAGS, *flags]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.parametrize("form", ["npy", "bin"])
def test_a_full_disk_is_reported_and_nothing_half_written(folders, form, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    summary = refine(folders, formats=("png", form))
    assert summary.done == 0 and summary.failures[0].message.endswith("a: cannot be written: No space left on device")
    assert [path.name for path in folders[2].iterdir()] == ["crf.json"]


def test_what_a_killed_run_left_is_removed(folders):
    out = folders[2]
    out.mkdir()
    kept = {".a-0123456.png", ".a-01234567.npy", ".d-01234567.png", "a-01234567.png"}
    for name in (".a-01234567.png", ".c-a_b_c_d_.png", *kept):
        (out / name).touch()
    assert refine(folders).done == 3
    assert {path.name for path in out.iterdir()} == {"a.png", "b.png", "c.png", "crf.json", *kept}


def test_processes_share_the_threads_for_tiles(folders, monkeypatch):
    scores, images, out, _ = folders
    threads = []

    def note(tasks, refiner, **_):
        threads.append(refiner.threads)
        return RefineSummary(len(tasks), ())

    monkeypatch.setattr("deeplab_caffe.crf.batch.refine_batch", note)
    for flags in ([], ["--processes"], ["--processes", "--workers", "12"]):
        main(["crf", "--scores", str(scores), "--images", str(images), "-o", str(out), "--workers", "2", *flags])
    assert threads == [2, 1, 4]


def test_two_maps_of_one_image_are_refused(folders):
    np.savez(folders[0] / "a.npz", np.zeros((2, 3, 3)))
    with pytest.raises(InputError, match="scores of 'a' are also in a.npy"):
        batch_tasks(folders[0], folders[1])


def test_ids_that_have_no_map_are_failures(folders):
    tasks = batch_tasks(folders[0], folders[1], ["c", "z"])
    assert tasks[0].id == "c" and tasks[1] == Failure("z", f"{folders[0]}: no score map of 'z'")


def test_a_pool_of_processes_refines_too(folders):
    scores, images, out, expected = folders
    refine_batch(batch_tasks(scores, images), Refiner(PARAMETERS, out), workers=1, processes=True, quiet=True)
    np.testing.assert_array_equal(read_label(out / "c.png"), expected["c"])


# -- score maps


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.bin", b"123", r"a\.bin: not a \.bin file"),
        ("a.bin", np.array([2, 3, 4], "<i4").tobytes() + bytes(50), r"a\.bin: truncated, .* 62 .* need 108 or 204"),
        ("a.npz", b"PK\x03\x04", r"a\.npz: cannot read scores"),
        ("a.txt", b"", r"a\.txt: unknown format of scores; expected \.npy"),
        ("a.png", b"\x89PNG", r"a\.png: cannot read scores"),
    ],
)
def test_files_that_are_no_score_maps_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_score_map(tmp_path / name)


def test_pickles_and_other_shapes_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npy: cannot read scores: .*objects"):
        open_score_map(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"b\.npy: expected numbers \(classes.*, got float64 of shape \(3, 3\)"):
        open_score_map(tmp_path / "b.npy")


def test_a_grey_png_is_the_probability_of_class_1_of_two(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 51, 255]], np.uint8))
    np.testing.assert_allclose(open_score_map(tmp_path / "a.png"), [[[1, 0.8, 0]], [[0, 0.2, 1]]], atol=1e-6)


def test_folders_of_videos_are_refined_under_their_relative_paths(folders, tmp_path):
    scores, images, out, expected = folders
    for folder, suffix in ((scores, ".npy"), (images, ".png")):
        (tmp_path / f"nested{suffix}/v1").mkdir(parents=True)
        path = next(path for path in folder.iterdir() if path.name.startswith("c."))
        (tmp_path / f"nested{suffix}/v1/{path.name}").write_bytes(path.read_bytes())
    tasks = batch_tasks(tmp_path / "nested.npy", tmp_path / "nested.png")
    assert refine_batch(tasks, Refiner(PARAMETERS, out), quiet=True) == RefineSummary(1, ())
    np.testing.assert_array_equal(read_label(out / "v1/c.png"), expected["c"])


def test_images_that_are_not_upright_are_turned_or_warned_of(folders, capsys):
    scores, images, out, expected = folders
    upright = np.asarray(Image.open(images / "c.png"))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(images / "c.png", exif=exif)
    (images.parent / "ids.txt").write_text("c\n")
    command = ["crf", "--scores", str(scores), "--images", str(images), "-o", str(out)]
    command += ["--list", str(images.parent / "ids.txt")]
    main(command)
    assert "the EXIF data of 1 of 1 images, such as" in capsys.readouterr().err
    (task,) = batch_tasks(scores, images, ["c"], upright=True)
    refine_batch([task], Refiner(PARAMETERS, out), quiet=True)
    np.testing.assert_array_equal(read_label(out / "c.png"), expected["c"])


def test_a_palette_png_is_not_a_score_map(tmp_path):
    write_label(tmp_path / "a.png", np.zeros((2, 3), np.uint8))
    with pytest.raises(InputError, match=r"a\.png: a palette PNG, as label files are; expected probabilities"):
        open_score_map(tmp_path / "a.png")
