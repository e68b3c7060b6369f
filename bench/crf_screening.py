"""What screening risks in the CRF's search: how often it loses the coarse round's best setting, and what that costs.

    deeplab crf-search ... -o FOUND                      # these three fill one journal
    deeplab crf-search ... -o FOUND --screen iterations
    deeplab crf-search ... -o FOUND --screen half
    python bench/crf_screening.py FOUND/search.journal

Sets of images are drawn at random from those of the journal. On each set the coarse settings are ranked by the screen's
confusion matrices, the best tenth by the full ones, as the search does; the regret is what the best of all settings has
more than the best of those, in points of mean IoU.
"""

from __future__ import annotations

import argparse
import contextlib
from collections import defaultdict

import numpy as np

from deeplab_caffe.crf.search import Setting
from deeplab_caffe.crf.search.grid_search import kept_of
from deeplab_caffe.crf.search.journal import Journal
from deeplab_caffe.evaluation import mean_iou
from deeplab_caffe.evaluation.bootstrap import drawn_ious, pixel_counts
from timing import table

HEAD = ("screen", "images", "settings", "best lost", "regret: mean", "99 %", "most", "worst rank of the best")
Effort = tuple[int, int]  # iterations, stride


def by_effort(journal: Journal) -> dict[Effort, dict[str, set[Setting]]]:
    """For each effort, the settings that were counted, by image."""
    found: dict[Effort, dict[str, set[Setting]]] = defaultdict(lambda: defaultdict(set))
    for key, setting in journal:
        digest, iterations, *stride = key.split("/")
        if setting is not None:
            found[int(iterations), int(*stride or ["1"])][digest].add(setting)
    return found


def scores(
    journal: Journal, effort: Effort, images: list[str], settings: list[Setting], drawn: np.ndarray
) -> np.ndarray:
    """Mean IoU in percent, (sets, settings)."""
    end = f"/{effort[0]}" + (f"/{effort[1]}" if effort[1] > 1 else "")
    counts = (pixel_counts([journal[image + end, setting] for image in images]) for setting in settings)
    each = (mean_iou(drawn_ious(drawn, each)) for each in counts)
    return 100 * np.stack(list(each), 1)


def draw(images: int, size: int, sets: int) -> np.ndarray:
    """(sets, images): 1 for the `size` images of a set, else 0."""
    order = np.random.default_rng(size).permuted(np.tile(np.arange(images), (sets, 1)), axis=1)
    return (order < size).astype(np.float64)


def risk(full: np.ndarray, screened: np.ndarray) -> list[str]:
    """The row of the table from both efforts' mean IoU, (sets, settings)."""
    order = np.argsort(-screened, 1, kind="stable")
    kept = np.take_along_axis(full, order[:, : kept_of(full.shape[1])], 1)
    regret = full.max(1) - kept.max(1)
    ranks = (order == full.argmax(1)[:, None]).argmax(1) + 1
    share = f"{100 * np.mean(regret > 0):.1f} %"
    points = (regret.mean(), np.quantile(regret, 0.99), regret.max())
    return [share, *(f"{value:.3f}" for value in points), str(ranks.max())]


def rows(journal: Journal, sizes: list[int], sets: int) -> list[list[str]]:
    """A row for each screen and size of the sets."""
    found = by_effort(journal)
    full = max(effort for effort in found if effort[1] == 1)
    table_rows = []
    for effort in sorted(set(found) - {full}):
        images = sorted(set(found[effort]) & set(found[full]))
        settings = sorted(set.intersection(*(found[e][image] for e in (effort, full) for image in images)))
        for size in sizes + [len(images)]:
            drawn = draw(len(images), size, sets if size < len(images) else 1)
            values = [scores(journal, e, images, settings, drawn) for e in (full, effort)]
            name = f"{effort[0]} iterations" + (f", every {effort[1]}nd pixel" if effort[1] > 1 else "")
            table_rows.append([name, str(size), str(len(settings)), *risk(*values)])
    return table_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("journal", help="search.journal of one set of images")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 10, 20], help="of the sets (%(default)s)")
    parser.add_argument("--sets", type=int, default=1000, help="of each size (%(default)s)")
    arguments = parser.parse_args()
    with contextlib.closing(Journal(arguments.journal)) as journal:
        print(table(HEAD, rows(journal, arguments.sizes, arguments.sets)))


if __name__ == "__main__":
    main()
