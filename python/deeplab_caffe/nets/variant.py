"""What one row of the table of variants holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .blocks import Spec
from .input_sizes import EIGHTH, SizeRule
from .net_context import NetContext
from .solver_recipes import Recipe

#: options that a model refuses unless it says that it reads them
SPECIAL_OPTIONS = ("stride_on", "test_output_stride", "weak_set", "weak2_set")

#: writes the layers of one net, whichever its role
Build = Callable[[Spec, NetContext], None]


@dataclass(frozen=True)
class Score:
    """A published mean IoU in percent, on PASCAL VOC 2012 unless another data set is named.

    crf: after the CRF. confirmed: compared with the publication; else it waits for that. note: how else it differs
    from the plain test, if it does.
    """

    value: float
    split: str = "val"
    crf: bool = False
    dataset: str = "voc12"
    confirmed: bool = True
    note: str = ""


@dataclass(frozen=True)
class Variant:
    """One published configuration.

    build: writes its nets. recipes: how stage 1, and stage 2 if there is one, are trained. source: the publication.
    initial: the weights that stage 1 starts from. starts_from: the model that leaves them, `<data set>/<model>`, or
    `<model>` for one on the same data set.
    datasets: the data sets that the publication reports it on; `make prototxt` writes these. adapted: data set to
    the fields of Recipe that differ there, in every stage. sizes: which inputs the net takes.
    parameters: learnt weights of the deploy net with 21 classes; statistics of BatchNorm are not counted.
    field_of_view: pixels that the head sees, in the measure of DeepLab v1, Table 2 (see `field_of_view`); None where
    the publication speaks of none. crf: preset of deeplab_caffe.crf that goes with the released weights.
    reads: options that few models have a use for, and this one has (see SPECIAL_OPTIONS).
    """

    title: str
    build: Build
    recipes: tuple[Recipe, ...]
    source: str
    initial: str
    parameters: int
    field_of_view: int | None = None
    published: tuple[Score, ...] = ()
    datasets: tuple[str, ...] = ("voc12",)
    adapted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sizes: SizeRule = EIGHTH
    crf: str | None = None
    starts_from: str | None = None
    reads: tuple[str, ...] = ()

    def recipe(self, stage: int, dataset: str) -> Recipe:
        """The recipe of stage 1 or 2 on a data set; stage 2 of a variant without one is trained as its stage 1."""
        return replace(self.recipes[min(stage, len(self.recipes)) - 1], **self.adapted.get(dataset, {}))
