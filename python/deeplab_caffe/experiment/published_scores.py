"""The published scores of an experiment's model, beside its own."""

from __future__ import annotations

from ..errors import InputError
from ..evaluation import Scores
from ..nets import PublishedNumber, published_scores
from .folder import Experiment
from .ledger import passes, scored_name, tested_output_stride, trained_otherwise


def published_lines(experiment: Experiment, before: Scores, after: Scores | None) -> list[str]:
    """A line for each published mean IoU that was measured on the same list in the same way; [] if there is none.

    Args:
        experiment: one whose stage `test` is finished.
        before: its scores before the CRF.
        after: those after it, or None.
    """
    pairs = [(False, before), *([(True, after)] if after else [])]
    try:
        found = [(number, scores) for crf, scores in pairs for number in _published(experiment, crf)]
        note = passes(experiment, experiment.test_list)["note"] if found else ""
        return [_line(number, scores, trained_otherwise(experiment), note) for number, scores in found]
    except InputError:  # nets or results without a record of how they were made
        return []


def _published(experiment: Experiment, crf: bool) -> list[PublishedNumber]:
    split = experiment.test_list
    way = passes(experiment, split)
    return published_scores(
        scored_name(experiment),
        split,
        crf,
        output_stride=tested_output_stride(experiment),
        scales=way["scales"],
        flip=way["flip"],
        images=len(experiment.dataset().entries(split, needs_label=False)),
    )


def _line(number: PublishedNumber, scores: Scores, otherwise: list[str], note: str = "") -> str:
    """`mean IoU before the CRF: 65.88 published (poly, …), 65.10 here (-0.78)`."""
    when, here = ("after" if number.crf else "before"), 100 * scores.mean_iou
    trained = f"; trained with {' '.join(otherwise)}, unlike the published one" if otherwise else ""
    pair = f"{number.value} published ({number.row}), {here:.2f} here ({here - number.number:+.2f})"
    return f"mean IoU {when} the CRF: {pair}{trained}{'; ' * bool(note)}{note}"
