"""Which weights a list is tested with: those of the training stage that it is meant for, or what the user states."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .folder import Experiment
from .stages.train import final_weights


class ListWeights(NamedTuple):
    """A weight file, and the training stage that leaves it: "1", "2", or "" for a file that was given."""

    path: Path
    stage: str

    def __str__(self) -> str:
        return f"{self.path} ({f'training stage {self.stage}' if self.stage else 'given by --weights'})"


def weights_for(experiment: Experiment, name: str) -> ListWeights:
    """The weights that a list is tested with; the file may not exist yet.

    On VOC stage 1 is trained on train_aug and scored on val. Stage 2 is trained on trainval_aug, val among it, for the
    test server: its weights are for the list `test`, and for lists without labels.

    Raises:
        InputError: there are no solvers yet.
    """
    testing = experiment.testing
    if testing.weights is not None:
        return ListWeights(Path(testing.weights), "")
    if testing.stage is not None:
        return _left_by(experiment, testing.stage)
    if experiment.is_for_server(name) and (experiment.prototxt / "solver2.prototxt").is_file():
        second = _left_by(experiment, 2)
        if second.path.is_file():
            return second
    return _left_by(experiment, 1)


def existing_weights_for(experiment: Experiment, name: str) -> ListWeights:
    """`weights_for`; InputError if the file does not exist."""
    found = weights_for(experiment, name)
    if not found.path.is_file():
        stage = "train2" if found.stage == "2" else "train"
        raise InputError(f"{found.path} does not exist; run the stage {stage} first")
    return found


def lacks_second_stage(experiment: Experiment, name: str) -> bool:
    """Whether a list that stage 2 is meant for is tested with stage 1's weights, because stage 2 was not trained."""
    testing = experiment.testing
    stated = testing.weights is not None or testing.stage is not None
    has_second = (experiment.prototxt / "solver2.prototxt").is_file()
    return not stated and has_second and experiment.is_for_server(name) and weights_for(experiment, name).stage == "1"


def _left_by(experiment: Experiment, stage: int) -> ListWeights:
    return ListWeights(final_weights(experiment, "" if stage == 1 else "2"), str(stage))
