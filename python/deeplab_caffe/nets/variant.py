"""One row of the table of variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .blocks import Spec
from .input_sizes import EIGHTH, SizeRule
from .net_context import NetContext
from .solver_recipes import Recipe

#: options that are refused for a model unless its row lists them under `reads`
SPECIAL_OPTIONS = ("stride_on", "test_output_stride", "weak_set", "weak2_set")

#: writes the layers of one net, whatever its role
Build = Callable[[Spec, NetContext], None]


@dataclass(frozen=True)
class Variant:
    """One published configuration; what was published of it is in published.toml (`published_scores`).

    Attributes:
        title: what it is, in words.
        build: writes its nets.
        recipes: how stage 1, and stage 2 if there is one, are trained.
        source: the publication.
        initial: the weights that stage 1 starts from, in words.
        parameters: learnt weights of the deploy net with 21 classes; statistics of BatchNorm are not counted.
        field_of_view: pixels of the image that the head sees, measured as in DeepLab v1, Table 2 (see
            `heads.Fc6.field_of_view`); None where the publication does not state it.
        datasets: the data sets that the publication reports.
        adapted: data set to the fields of Recipe that differ there, in every stage.
        sizes: which input sizes the net takes.
        crf: preset of deeplab_caffe.crf that belongs to the released weights.
        starts_from: the model whose training makes the initial weights, `<data set>/<model>`, or `<model>` for one
            on the same data set.
        reads: those of SPECIAL_OPTIONS that apply to this model.
        one_stage: data sets on which the publication has no stage 2, though there is a list for it.
        refuses: options that do not apply to this model, and why.
    """

    title: str
    build: Build
    recipes: tuple[Recipe, ...]
    source: str
    initial: str
    parameters: int
    field_of_view: int | None = None
    datasets: tuple[str, ...] = ("voc12",)
    adapted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sizes: SizeRule = EIGHTH
    crf: str | None = None
    starts_from: str | None = None
    reads: tuple[str, ...] = ()
    one_stage: tuple[str, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=dict)

    def recipe(self, stage: int, dataset: str) -> Recipe:
        """The recipe of stage 1 or 2 on a data set; without a second recipe both stages are trained by the first."""
        return replace(self.recipes[min(stage, len(self.recipes)) - 1], **self.adapted.get(dataset, {}))
