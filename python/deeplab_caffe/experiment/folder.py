"""The folder of an experiment: what is trained on what, and where each stage keeps its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..crf.search import SearchSpace
from ..data import Dataset, read_dataset
from ..errors import InputError
from ..evaluation import Trimap
from ..nets import GeneratorOptions, list_names
from .merging import Merging
from .testing import Testing
from .training_settings import TrainingSettings


@dataclass(frozen=True)
class Experiment:
    """One experiment, from data to report, in one folder.

    Attributes:
        name: `<data set>/<model>`.
        folder: everything the stages write, except the prototxts of a published model.
        prototxt: folder of the nets and solvers.
        dataset_file: TOML file that describes the data set; it may be one of the package (see `package_files`).
        options: options of the generated nets and solvers.
        hold_out: fraction of the training list held out for the CRF search; 0: search on the test list, as the
            papers do on VOC.
        synthetic: {"train": N, "val": N}: the number of images to draw first; empty for real data.
        search_images: how many images of the search list the CRF search uses.
        search_space: ranges of the CRF search.
        widen_search: whether it goes beyond them if the best lies at their end; not to reproduce a publication.
        remembered: settings saved in the folder, which later commands on it reuse.
        command: the command that runs the whole experiment.
        origin: `<data set>/<model>` whose manual edits the nets in this experiment's folder take over, or "".
        allow_different_nets: whether to train and test nets that compute different things.
        trimap: bands that the stage evaluate scores as well, or None.
        keep_trimap: without a trimap, use that of the last evaluation, if it had one.
        first_trimap: the bands of the first evaluation, if none are stated.
        show: ids of the images that the report shows; empty: a few at even intervals in the test list.
        testing: how the lists are tested.
        training: what a training shows and tests while it runs.
        given: names of the options that are given now, not saved before.
        merging: how edited nets are merged with what is generated now; None: they are kept.

    Example:
        >>> from pathlib import Path
        >>> from deeplab_caffe.nets import GeneratorOptions
        >>> exp = Experiment("toy/largefov", Path("exp"), Path("exp/prototxt"), Path("toy.toml"), GeneratorOptions())
        >>> print(exp.log("train"), exp.scores("val"), exp.result("val", crf=True))
        exp/log/train.log exp/scores/val exp/result_crf/val
    """

    name: str
    folder: Path
    prototxt: Path
    dataset_file: Path
    options: GeneratorOptions
    hold_out: float = 0.0
    synthetic: Mapping[str, int] = field(default_factory=dict)
    search_images: int = 100
    search_space: SearchSpace = field(default_factory=SearchSpace)
    widen_search: bool = True
    remembered: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    origin: str = ""
    allow_different_nets: bool = False
    trimap: Trimap | None = None
    keep_trimap: bool = True
    first_trimap: Trimap | None = None
    show: tuple[str, ...] = ()
    testing: Testing = field(default_factory=Testing)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    given: tuple[str, ...] = ()
    merging: Merging | None = None

    @property
    def is_variant(self) -> bool:
        """Whether this is a published model on its own data, but with nets in the experiment's folder."""
        return self.origin == self.name

    # -- paths

    @property
    def model(self) -> Path:
        """Folder of snapshots and trained weights."""
        return self.folder / "model"

    @property
    def prepared_dataset(self) -> Path:
        """The data set's TOML file as this experiment uses it: with the held-out list, if there is one."""
        return self.folder / "dataset.toml" if self.hold_out else self.dataset_file

    @property
    def crf_parameters(self) -> Path:
        return self.folder / "crf" / "parameters.json"

    @property
    def search_result(self) -> Path:
        return self.folder / "crf" / "search.json"

    @property
    def heat_map(self) -> Path:
        return self.folder / "crf" / "search.png"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.json"

    @property
    def report(self) -> Path:
        return self.folder / "report" / "index.html"

    def log(self, stage: str) -> Path:
        return self.folder / "log" / f"{stage}.log"

    def scores(self, list_name: str) -> Path:
        """Folder of score maps <id>.npy, and of done.json, which says what they are (see `stored_scores`)."""
        return self.folder / "scores" / list_name

    def result(self, list_name: str, crf: bool = False) -> Path:
        """Folder of predicted labels <id>.png, indexed with the data set's palette."""
        return self.folder / ("result_crf" if crf else "result") / list_name

    # -- data

    def dataset(self) -> Dataset:
        """The data set with this experiment's lists. The data stage must have run."""
        return read_dataset(self.prepared_dataset)

    @property
    def test_list(self) -> str:
        """Name of the list to test and evaluate on."""
        return list_names(self.name, self.options, read_dataset(self.dataset_file))["test"]

    @property
    def search_list(self) -> str:
        """Name of the list to search the CRF parameters on.

        The held-out part, or the test list as the papers do on VOC's val; or val, if the test list is for the test
        server: the list `test`, or one without labels.
        """
        if self.hold_out:
            return "heldout"
        name, described = self.test_list, read_dataset(self.dataset_file)
        return "val" if "val" in described.lists and self.is_for_server(name) else name

    @property
    def tested_lists(self) -> list[str]:
        """The lists to test: the test list, and that of the CRF search unless a preset has its parameters."""
        searched = [self.search_list] if self.testing.preset is None else []
        return list(dict.fromkeys([self.test_list, *searched]))

    def has_labels(self, name: str) -> bool:
        """Whether a list names label files; true if the list does not exist yet."""
        try:
            return _described(self).entries(name, needs_label=False)[0].label is not None
        except InputError:
            return True

    def is_for_server(self, name: str) -> bool:
        """Whether a list is one whose labels are kept by a test server: the list `test`, or one without labels."""
        return name != "heldout" and (name == "test" or not self.has_labels(name))


def _described(experiment: Experiment) -> Dataset:
    """The data set as prepared, or as given while the stage data has not run."""
    prepared = experiment.prepared_dataset
    return read_dataset(prepared if prepared.is_file() else experiment.dataset_file)
