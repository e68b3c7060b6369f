"""Which stages of an experiment read which flag: the table behind the help of each stage, and behind refusals.

`all` reads every flag. A stage's help shows the flags that it reads. Others are refused, with the stages that do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .parser import Parser, add_renamed

#: the commands that are stages, in order; `experiment.STAGES` has their work
STAGES = ("data", "prototxt", "train", "train2", "test", "search", "crf", "evaluate", "report", "all")

_EVERY = " ".join(STAGES)
_RUN_NETS = "train train2 test report"
_LISTS, _NETS, _SOLVERS = "lists of the data set", "generated nets", "generated solvers"
_TESTING, _RUNNING = "how lists are tested (docs/testing.md)", "running nets"
_EDITED = "nets edited by hand (docs/merge.md)"
_WATCHING = "what is seen of the training (docs/training.md)"

#: heading in the help, stages that read the flags, the flags
_ROWS: tuple[tuple[str, str, str], ...] = (
    ("", _EVERY, "data exp prototxt quick force forget"),
    (_EDITED, "prototxt", "merge merge-base"),
    (_TESTING, "data test", "scales flip tile overlap"),
    (_TESTING, "test", "weights stage"),
    (_TESTING, "data test search crf", "preset"),
    ("scores", "evaluate", "trimap trimap-from"),
    ("the page", "report", "show"),
    (_RUNNING, _RUN_NETS, "gpu allow-python-layers"),
    (_RUNNING, f"data {_RUN_NETS}", "caffe"),
    (_RUNNING, "train train2", "workers recompute"),
    (_WATCHING, "train train2", "verbose tensorboard test-interval val-images"),
    (_RUNNING, "train train2 test", "precision exact allow-different-nets allow-not-finite-weights"),
    (_RUNNING, "test report", "allow-uninitialized"),
    (_LISTS, "data prototxt train", "train-set weak-set"),
    (_LISTS, "data prototxt train2", "train2-set weak2-set"),
    (_LISTS, "data prototxt test search crf evaluate report", "test-set"),
    (_LISTS, "prototxt", "root-folder"),
    (_SOLVERS, "prototxt train", "iterations iter-size base-lr policy stepsize snapshot display random-seed"),
    (_SOLVERS, "data prototxt train2", "iterations2"),
    (_SOLVERS, "prototxt train2", "base-lr2"),
    (_SOLVERS, "prototxt train train2 test", "solver-mode"),
    (_NETS, "prototxt train", "crop batch-size scale-factors class-weights width batch-norm moving-average-fraction"),
    (_NETS, "prototxt train", "from-scratch scale dropout stride-on"),
    (_NETS, "data prototxt train", "dialect"),
    (_NETS, "prototxt test", "test-crop test-output-stride feature-dir softmax"),
)


def _table() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for heading, stages, flags in _ROWS:
        for flag in flags.split():
            read_by = {*stages.split(), "all"}
            found[f"--{flag}"] = heading, tuple(stage for stage in STAGES if stage in read_by)
    return found


#: flag to its heading and the stages that read it
FLAGS = _table()


def read_by(stage: str, words: Sequence[str]) -> list[str]:
    """Those of the flags that a stage reads, with their values; and those that no stage knows.

    Example:
        >>> read_by("test", ["--crop", "33", "--flip", "--test-crop", "65"])
        ['--flip', '--test-crop', '65']
    """
    starts = [i for i, word in enumerate(words) if word.startswith("--")]
    flags = [words[i:j] for i, j in zip(starts, [*starts[1:], len(words)], strict=True)]
    return [word for flag in flags if stage in FLAGS.get(flag[0], ("", STAGES))[1] for word in flag]


class StageArguments:
    """Takes all flags of stages, and adds to a stage's parser those that it reads, under their headings.

    Args:
        parser: that of a stage, whose default `command` is the stage's name.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser, self._stage = parser, str(parser.get_default("command"))
        headings = dict.fromkeys(heading for heading, stages in FLAGS.values() if heading and self._stage in stages)
        self._groups = {"": parser} | {heading: parser.add_argument_group(heading) for heading in headings}

    def add_argument(self, *names: str, **how: Any) -> None:
        """Add a flag if the stage reads it; a call with another one is refused.

        Args:
            names: that of the table, and former ones, which still work but are not shown.
            how: the keywords of `argparse`.
        """
        flag, *older = names
        heading, stages = FLAGS[flag]
        if self._stage not in stages:
            for name in names:
                self._parser.elsewhere[name] = f"{self._stage} reads no {flag}; it acts on: {', '.join(stages)}"
            return
        add_renamed(self._groups[heading], flag, *older, **how)
