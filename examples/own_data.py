"""Train on your own images: write the lists and the description of a data set, then run the pipeline.

    python examples/own_data.py images labels --classes background cat dog --folder exper/pets

`images` holds JPEG or PNG files, `labels` a PNG of class indices for each of them, with the same stem: 8-bit grey, or
with a palette; 255 marks pixels without a class. What this script does not know is passed on to the stages that read
it: `--iterations 3000 --width 0.5 --crop 321` (`deeplab all --help` lists it).
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from deeplab_caffe.cli import guarded
from deeplab_caffe.cli import main as deeplab
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data import read_dataset
from deeplab_caffe.errors import InputError

IMAGES = (".jpg", ".jpeg", ".png")
STAGES = ("data", "prototxt", "train", "test", "search", "crf", "evaluate", "report")


def pairs(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Each image with its label map, in the order of their names; images without one are left out."""
    found = [path for path in sorted(images.iterdir()) if path.suffix.lower() in IMAGES]
    there = {path.name for path in labels.iterdir()}
    items = [(path, labels / f"{path.stem}.png") for path in found if f"{path.stem}.png" in there]
    if len(items) < 2:  # one for train, one for val
        what = f"{'1 image' if items else 'no images'} (x.jpg, x.png) with a label of the same stem (x.png) in {labels}"
        raise InputError(f"{images}: found {what}; expected at least two")
    return items


def write_lists(folder: Path, items: list[tuple[Path, Path]], share: float) -> None:
    """train.txt and val.txt: lines `<image> <label>`; a share of the images, drawn with a fixed seed, is for val."""
    count = min(max(1, round(share * len(items))), len(items) - 1)
    drawn = set(random.Random(0).sample(range(len(items)), count))
    for name, chosen in (("val", drawn), ("train", set(range(len(items))) - drawn)):
        lines = [f"{items[i][0].resolve()} {items[i][1].resolve()}\n" for i in sorted(chosen)]
        (folder / f"{name}.txt").write_text("".join(lines))


def write_description(folder: Path, name: str, classes: list[str]) -> Path:
    """The TOML file that describes the data set; datasets/camvid.toml shows what else it may say."""
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = {json.dumps(name)}\nroot = "/"\n'
        f"classes = {json.dumps(classes)}\nignore_label = 255\n\n"
        f"[lists]\ntrain = {json.dumps(str(folder / 'train.txt'))}\nval = {json.dumps(str(folder / 'val.txt'))}\n"
    )
    return path


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--classes", nargs="+", required=True, help="their names, in the order of the label values")
    parser.add_argument("--folder", type=Path, default=Path("exper/own"), help="for everything (%(default)s)")
    parser.add_argument("--val", type=float, default=0.2, help="share of the images that is only scored (%(default)s)")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE", help="(all)")
    given, others = parser.parse_known_args(arguments)
    if not 0 < given.val < 1:
        parser.error(f"--val is {given.val:g}; expected a share between 0 and 1")

    items = pairs(given.images, given.labels)
    folder = (given.folder / "description").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    write_lists(folder, items, given.val)
    description = write_description(folder, given.folder.name, given.classes)
    val = read_dataset(description).entries("val")
    print(f"{len(items)} images with labels, {len(val)} of them for val: {description}")
    for stage in given.stages:
        flags = ["--data", str(description), "--exp", str(given.folder), *read_by(stage, others)]
        code = deeplab([stage, "demo", *flags])
        if code:
            raise SystemExit(code)


if __name__ == "__main__":
    raise SystemExit(guarded("own_data.py", main))  # bad input: one line on stderr, exit code 2
