"""Every extension trained on the synthetic sample until it has learnt: scores and times in one table.

    python bench/extensions.py                                   # all of them; trained ones are not trained again
    python bench/extensions.py weak_em_adapt fcn8s               # these, and what they start from
    python bench/extensions.py --iterations 0.1 -o exper/short   # a tenth of the updates: whether everything runs
    python bench/extensions.py --list                            # which there are, and their commands

Narrow nets with batch normalization, from random weights, on whole images. The sample is drawn once and halved in size,
with lists of strongly and weakly labelled images and labels from boxes. Scores are those of the net alone, without a
CRF, beside those of guessing. The table goes to OUT/table.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import timing
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data import Dataset, read_dataset, read_label, write_label
from deeplab_caffe.data.synthetic import description, draw_sample
from deeplab_caffe.evaluation import Scores, confusion_matrix

#: of all nets: narrow, and what lets a net learn from random weights in some hundred updates, as in the demo
COMMON = (
    "--solver-mode CPU --random-seed 1 --snapshot 100000 --crop 161 --test-crop 161 --batch-size 4 --scale 0.01724 "
    "--batch-norm --moving-average-fraction 0.95 --dropout 0.1 --policy poly"
)
#: the classifier learns ten times as fast as the rest, so higher rates than the demo's diverge
USUAL = "--width 0.25 --base-lr 0.01"
#: the loss is a sum over 161 x 161 pixels, and momentum is .99: 3e-7 is 0.08 for a mean and a momentum of .9
FCN = "--width 0.125 --base-lr"
#: deep nets; batch normalization does not imply fillers there
RESNET = "--from-scratch"
#: here all layers learn at the same rate
V3 = f"{RESNET} --width 0.25 --base-lr 0.05 --base-lr2 0.005 --scale-factors 1"
#: images that the strong lists have; the others are weakly labelled
STRONG = 60


class Run(NamedTuple):
    """One training.

    Attributes:
        updates: of stage 1.
        learns_from: in words.
        options: of the net and its solver.
        after: the run whose weights it starts from; `deeplab train` finds them.
        updates2: of stage 2.
        tests: a run whose last weights are tested instead of trained ones.
        model: in the table of variants; "" for the name of the run.
    """

    updates: int
    learns_from: str = "pixels"
    options: str = USUAL
    after: str = ""
    updates2: int = 0
    tests: str = ""
    model: str = ""


RUNS: dict[str, Run] = {
    "largefov_v1": Run(300),
    "dt_gradient": Run(300, tests="largefov_v1"),
    "dt_edgenet": Run(80, after="largefov_v1"),
    "msc_largefov": Run(80, after="largefov_v1"),
    "strong_only": Run(200, f"pixels of {STRONG} images", f"{USUAL} --train-set train", model="largefov_v1"),
    "semi_em_fixed": Run(200, f"pixels of {STRONG} images, classes of the others"),
    "semi_bbox_em_fixed": Run(200, f"pixels of {STRONG} images, boxes of the others"),
    "bbox_rect": Run(200, "boxes, filled"),
    "bbox_seg": Run(200, "boxes, segmented by the CRF"),
    "weak_em_adapt": Run(300, "classes in each crop", f"{USUAL} --crop 65 --batch-size 16"),
    "scales2_attention": Run(200),
    "aspp_l": Run(200),
    "fcn32s": Run(500, options=f"{FCN} 3e-7"),
    "fcn16s": Run(150, options=f"{FCN} 1e-7", after="fcn32s"),
    "fcn8s": Run(150, options=f"{FCN} 1e-7", after="fcn16s"),
    "v3_resnet50_aspp": Run(200, options=f"{V3} --train2-set train_aug", updates2=40),
    "v3_output_stride_8": Run(
        200, options=f"{V3} --test-output-stride 8", tests="v3_resnet50_aspp", model="v3_resnet50_aspp"
    ),
    # four losses on the same weights: the rate counts four times
    "resnet101_msc": Run(200, options=f"{RESNET} --width 0.25 --iter-size 1 --base-lr 0.002"),
}


@dataclass(frozen=True)
class Place:
    """Where everything lies.

    Attributes:
        data: the description of the sample, with all lists.
        out: folder of the experiments.
        factor: on the updates.
    """

    data: Path
    out: Path
    factor: float

    def folder(self, name: str) -> Path:
        return self.out / name

    def updates(self, number: int) -> int:
        return max(2, round(number * self.factor))

    def weights(self, name: str, last: bool = False) -> Path:
        """Those of stage 1 of a run, or of its last stage."""
        run = RUNS[name]
        stage, updates = ("2", run.updates2) if last and run.updates2 else ("", run.updates)
        return self.folder(name) / "model" / f"train{stage}_iter_{self.updates(updates)}.caffemodel"


# -- the sample


def draw(folder: Path, train: int, val: int) -> Path:
    """The sample at half its size, with the lists of weak supervision and labels made from boxes."""
    drawn = read_dataset(draw_sample(folder / "drawn", train, val, progress=True))
    lines = {name: drawn.list_path(name).read_text().splitlines(keepends=True) for name in ("train", "val")}
    whole = lines["train"]
    lists = {"train": whole[:STRONG], "train_aug": whole, "train_aug_diff_train": whole[STRONG:], "val": lines["val"]}
    (folder / "list").mkdir(exist_ok=True)
    for name, listed in lists.items():
        (folder / "list" / f"{name}.txt").write_text("".join(listed))
    boxed = [f"{name}_bbox_{kind}" for name in ("train_aug", "train_aug_diff_train") for kind in ("rect", "seg")]
    text = description().replace("161, 161", "81, 81").replace("321, 321", "161, 161").partition("[lists]")[0]
    file = folder / "extensions.toml"
    file.write_text(text + "[lists]\n" + "".join(f'{name} = "list/{name}.txt"\n' for name in [*lists, *boxed]))
    for entry in [*drawn.entries("train"), *drawn.entries("val")]:
        halve(drawn, folder, entry.image, entry.label or "")
    if not all((folder / "list" / f"{name}.txt").is_file() for name in boxed):
        deeplab(["box-labels", str(file), "--from-labels"])
    return file


def halve(drawn: Dataset, folder: Path, image: str, label: str) -> None:
    """An image and its label at half their size, unless they are there."""
    if all((folder / name[1:]).is_file() for name in (image, label)):
        return
    small = read_label(drawn.path_of(label))[::2, ::2]
    pixels = cv2.resize(cv2.imread(drawn.path_of(image)), small.shape[::-1], interpolation=cv2.INTER_AREA)
    (folder / image[1:]).parent.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / image[1:]), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    write_label(folder / label[1:], small, drawn.palette)


# -- the runs


def deeplab(words: Sequence[str], log: Path | None = None) -> None:
    """Run a deeplab command; with `log`, what it prints goes there."""
    print("deeplab", shlex.join(words), flush=True)
    command = [sys.executable, "-m", "deeplab_caffe.cli", *words]
    if log is None:
        subprocess.run(command, check=True)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as output:
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
    if code:
        sys.exit("".join(log.read_text().splitlines(keepends=True)[-8:]))


def flags(name: str, place: Place) -> list[str]:
    """The options of a run's commands."""
    run = RUNS[name]
    words = [f"voc12/{run.model or name}", "--data", str(place.data), "--exp", str(place.folder(name))]
    words += [*shlex.split(COMMON), *shlex.split(run.options), "--iterations", str(place.updates(run.updates))]
    return words + (["--iterations2", str(place.updates(run.updates2))] if run.updates2 else [])


def execute(name: str, place: Place) -> None:
    """Train and test one run; stages that are finished are skipped."""
    run, words = RUNS[name], flags(name, place)
    if run.tests:
        source, target = place.weights(run.tests, last=True), place.weights(name)
        print("cp", source, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for stage in ["prototxt", "train", *["train2"] * bool(run.updates2), "test"]:
        deeplab([stage, words[0], *read_by(stage, words[1:])], place.folder(name) / "log" / "commands.log")


def with_those_before(names: Sequence[str]) -> list[str]:
    """The runs, each after those that it needs."""
    wanted: dict[str, None] = {}

    def add(name: str) -> None:
        for before in (RUNS[name].after, RUNS[name].tests):
            if before:
                add(before)
        wanted.setdefault(name)

    for name in names:
        add(name)
    return list(wanted)


# -- the table


def score(name: str, place: Place, dataset: Dataset) -> Scores:
    """Of a run's results on val."""
    classes, total = len(dataset.classes), 0
    for entry in dataset.entries("val"):
        label = read_label(dataset.path_of(entry.label or ""))
        result = read_label(place.folder(name) / "result" / "val" / f"{Path(entry.image).stem}.png")
        total = total + confusion_matrix(label, result, classes, dataset.ignore_label)
    return Scores.from_matrix(np.asarray(total))


def guesses(dataset: Dataset) -> dict[str, tuple[float, float]]:
    """Expected mean IoU and pixel accuracy on val of results that do not look at the image."""
    share = np.zeros(len(dataset.classes))
    for entry in dataset.entries("val"):
        label = read_label(dataset.path_of(entry.label or ""))
        share += np.bincount(label[label != dataset.ignore_label], minlength=len(share))
    share /= share.sum()
    return {
        "the most frequent class everywhere": (share.max() / len(share), share.max()),
        "a class at random, by its frequency": (float((share / (2 - share)).mean()), float((share**2).sum())),
    }


def seconds(name: str, place: Place) -> Mapping[str, float]:
    """Of each finished stage of a run."""
    files = (place.folder(name) / "stages").glob("*.json")
    return {path.stem: json.loads(path.read_text())["seconds"] for path in files if path.stem != "contents"}


def rows(names: Sequence[str], place: Place) -> list[list[str]]:
    """The table's rows: guesses first, then the runs."""
    dataset = read_dataset(place.data)
    found = [
        [f"guess: {what}", "–", "–", "–", _percent(m), _percent(p), "–"] for what, (m, p) in guesses(dataset).items()
    ]
    for name in names:
        run, scores, took = RUNS[name], score(name, place, dataset), seconds(name, place)
        updates = "–" if run.tests else str(place.updates(run.updates))
        updates += f" + {place.updates(run.updates2)}" if run.updates2 else ""
        training = took.get("train", 0) + took.get("train2", 0)
        start = f"weights of {run.tests}" if run.tests else run.after or "random weights"
        found.append(
            [name, run.learns_from, start, updates, _percent(scores.mean_iou), _percent(scores.pixel_accuracy)]
            + ["–" if run.tests else f"{training:.0f}"]
        )
    return found


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


HEAD = ["", "learns from", "starts from", "updates", "mean IoU, %", "pixel accuracy, %", "training, s"]


def main() -> None:
    """Run what was asked for, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*RUNS, []], help=f"of {', '.join(RUNS)}; all")
    parser.add_argument("--iterations", type=float, default=1, metavar="X", help="factor on the updates")
    parser.add_argument("--train", type=int, default=240, help=f"images to learn from; {STRONG} have strong labels")
    parser.add_argument("--val", type=int, default=40, help="images to test on")
    parser.add_argument("--sample", type=Path, default=Path("data/extensions"), help="folder of the sample")
    parser.add_argument("-o", "--out", type=Path, default=Path("exper/extensions"), help="folder of the experiments")
    parser.add_argument("--list", action="store_true", help="print the commands, run nothing")
    arguments = parser.parse_args()
    names = with_those_before(arguments.names or list(RUNS))
    place = Place(arguments.sample / "extensions.toml", arguments.out, arguments.iterations)
    if arguments.list:
        print("\n".join(f"deeplab train {shlex.join(flags(name, place))}" for name in names))
        return
    draw(arguments.sample, arguments.train, arguments.val)
    for name in names:
        execute(name, place)
    table = timing.table(HEAD, rows(names, place))
    (arguments.out / "table.md").write_text(table + "\n")
    print(f"\n{table}")


if __name__ == "__main__":
    main()
