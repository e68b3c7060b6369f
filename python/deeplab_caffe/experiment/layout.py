"""An experiment: what is trained on what, and where its files lie."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..crf.search import SearchSpace
from ..data import Dataset, read_dataset
from ..errors import InputError
from ..files import write_text
from ..nets import GeneratorOptions, command_line, experiment_folder, list_names, prototxt_folder

#: The settings of the demo: a quarter of the channels, batch normalization, random weights to start. The classifier
#: learns ten times as fast as the rest, which above 0.01 throws a short training off; half of so few channels is too
#: much to drop.
DEMO_OPTIONS = GeneratorOptions(
    batch_size=8,
    base_lr=0.01,
    policy="poly",
    display=10,
    random_seed=1,
    solver_mode="CPU",
    width=0.25,
    batch_norm=True,
    moving_average_fraction=0.95,
    dropout=0.1,
    scale=1 / 58,
)
SYNTHETIC_FOLDER = Path("data/synthetic")


@dataclass(frozen=True)
class Experiment:
    """One experiment, from data to report, in one folder.

    name: `<data set>/<model>`. hold_out: the share of the training list that is kept back to search the CRF's
    parameters on; 0 where the search uses the test list, as the papers do on VOC. synthetic: draw the data first.
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
    #: what later calls on this folder take over
    remembered: Mapping[str, Any] = field(default_factory=dict)
    #: the command that does all of it
    command: str = ""
    #: `<data set>/<model>` whose prototxts this experiment on other data takes the hand's edits from
    origin: str = ""

    # -- where things lie

    @property
    def model(self) -> Path:
        """Folder of the snapshots."""
        return self.folder / "model"

    @property
    def prepared_dataset(self) -> Path:
        """The description of the data set as this experiment uses it (with its held-out list)."""
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
        """Folder of the score maps, <id>.npy, (C, h, w) float32 at the net's resolution."""
        return self.folder / "scores" / list_name

    def result(self, list_name: str, crf: bool = False) -> Path:
        """Folder of the predicted labels, <id>.png, indexed with the data set's colours."""
        return self.folder / ("result_crf" if crf else "result") / list_name

    # -- what it works on

    def dataset(self) -> Dataset:
        """The data set with the lists of this experiment; needs the data stage."""
        return read_dataset(self.prepared_dataset)

    @property
    def test_list(self) -> str:
        """The list that is tested and evaluated on."""
        return list_names(self.name, self.options, read_dataset(self.dataset_file))["test"]

    @property
    def search_list(self) -> str:
        """The list that the CRF's parameters are searched on."""
        return "heldout" if self.hold_out else self.test_list


def published(name: str, options: GeneratorOptions | None = None) -> Experiment:
    """The experiment of a published model, such as voc12/largefov, on the prototxts of its folder.

    With options.dataset describing another data set, on that one: its nets are made anew in the experiment's folder,
    with what was changed by hand in the original ones.
    """
    options = options or GeneratorOptions()
    dataset_name, _, model = name.partition("/")
    file = Path(options.dataset or f"datasets/{dataset_name}.toml")
    if not file.is_file():
        wanted = "; wanted <data set>/<model>, or 'demo'" if not options.dataset else ""
        hint = ": `make demo.data` draws it" if file == SYNTHETIC_FOLDER / "dataset.toml" else wanted
        raise InputError(f"'{name}': no data set description {file}{hint}")
    described = read_dataset(file).name
    if described != dataset_name:
        return _on_other_data(f"{described}/{model}", name, options, file)
    return Experiment(
        name=name,
        folder=Path(experiment_folder(name, options)),
        prototxt=Path(prototxt_folder(name, options)),
        dataset_file=file,
        options=options,
        command=shlex.join(["deeplab", "all", name, *command_line(options)]),
    )


def _on_other_data(name: str, origin: str, options: GeneratorOptions, file: Path) -> Experiment:
    """A published model trained on a data set that it was not published for."""
    folder = Path(experiment_folder(name, options))
    options = replace(options, dataset=str(file), experiment=str(folder), folder=options.folder or f"{folder}/prototxt")
    return Experiment(
        name=name,
        folder=folder,
        prototxt=Path(prototxt_folder(name, options)),
        dataset_file=file,
        options=options,
        command=shlex.join(["deeplab", "all", origin, *command_line(options)]),
        origin=origin,
    )


def demo(
    data: str | None = None, folder: str | None = None, options: GeneratorOptions | None = None, quick: bool = False
) -> Experiment:
    """The demo: the whole pipeline with a narrow net, on the synthetic sample or on the data set of a TOML file.

    `options` override the demo's own; `quick` makes everything as short as it can be while each stage still runs.
    What an experiment's folder was first called with is remembered there, and holds until something else is said.
    """
    if folder is None:
        name = "demo" if data is None else read_dataset(data).name
        folder = f"exper/{name}{'_quick' if quick else ''}"
    base = Path(folder)
    if base.exists() and not base.is_dir():
        raise InputError(f"EXP: {base} is a file, wanted the folder of the experiment")
    before = _remembered(base)
    if before and data and before.get("data") != data:
        held = before.get("data") or "the synthetic sample"
        raise InputError(f"{base} holds an experiment on {held}; give another folder for {data} (EXP=, --exp)")
    given = (options or GeneratorOptions()).stated()
    kept = {name: value for name, value in before.get("options", {}).items() if name not in given}
    if kept:
        print(f"{base}, as before: {', '.join(f'{name} {value}' for name, value in kept.items())}", flush=True)
    data = data or before.get("data")
    quick = quick or bool(before.get("quick"))
    stated = {**kept, **given}
    command = ["deeplab", "all", "demo", *(["--data", data] if data else []), "--exp", folder]
    command += ["--quick"] * quick + command_line(GeneratorOptions(**stated))
    synthetic = {} if data else {"train": 48, "val": 12} if quick else {"train": 240, "val": 60}
    drawn = SYNTHETIC_FOLDER.with_name("synthetic_quick") if quick else SYNTHETIC_FOLDER
    file = Path(data) if data else drawn / "dataset.toml"
    space = SearchSpace()
    if quick:
        space = SearchSpace(w1="3:2:5", sigma_alpha="30:40:70", sigma_beta="4", fine_sigma_alpha="-8:8:8")
    return Experiment(
        name=f"{'synthetic' if synthetic else read_dataset(file).name}/largefov",
        folder=base,
        prototxt=base / "prototxt",
        dataset_file=file,
        options=_demo_options(stated, base, iterations=20 if quick else 600 if synthetic else 1500),
        hold_out=0.1,
        synthetic=synthetic,
        search_images=4 if quick else 20,
        search_space=space,
        remembered={"data": data, "quick": quick, "options": stated},
        command=shlex.join(command),
    )


def _demo_options(stated: Mapping[str, Any], base: Path, iterations: int) -> GeneratorOptions:
    """The demo's options with those that were stated, and this experiment's own folders."""
    chosen: dict[str, Any] = {"iterations": iterations, **stated}
    chosen.setdefault("snapshot", max(5, chosen["iterations"] // 10))
    folders = {"dataset": str(base / "dataset.toml"), "experiment": str(base), "folder": str(base / "prototxt")}
    return replace(DEMO_OPTIONS, **{**chosen, **folders})


def _remembered(folder: Path) -> dict[str, Any]:
    """What an experiment's folder was called with before; nothing if it is new."""
    path = folder / "experiment.json"
    try:
        before = dict(json.loads(path.read_text()))
        GeneratorOptions(**before.get("options", {}))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, InputError) as error:
        raise InputError(f"{path}: cannot be used ({error}); remove it to begin anew") from None
    return before


def remember(experiment: Experiment) -> None:
    """Keep what the experiment was called with, for calls to come."""
    if experiment.remembered:
        write_text(experiment.folder / "experiment.json", json.dumps(experiment.remembered, indent=1) + "\n")
