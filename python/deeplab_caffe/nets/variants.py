"""The table of variants: one row per published configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .blocks import Spec
from .large_fov import large_fov
from .setting import Setting
from .solvers import POLY_V2, STEP_V1, Recipe


@dataclass(frozen=True)
class Score:
    """A published mean IoU in percent on PASCAL VOC 2012, without CRF unless said."""

    value: float
    split: str
    crf: bool = False


@dataclass(frozen=True)
class Variant:
    """One configuration: who writes its nets, how it is trained, where both come from, what it scored."""

    title: str
    build: Callable[[Spec, Setting], None]
    recipe: Recipe
    source: str
    published: tuple[Score, ...] = ()


#: model name, the second half of `voc12/largefov`, to its row
VARIANTS: Mapping[str, Variant] = {
    "largefov": Variant(
        title="DeepLab-LargeFOV, trained as in DeepLab v2",
        build=large_fov,
        recipe=POLY_V2,
        source="DeepLab v2 (arXiv 1606.00915), Table 2: poly, batch 10, 20K iterations",
        published=(Score(65.88, "val"),),  # not yet checked against the paper
    ),
    "largefov_v1": Variant(
        title="DeepLab-LargeFOV, trained as in DeepLab v1",
        build=large_fov,
        recipe=STEP_V1,
        source="DeepLab v1 (arXiv 1412.7062), Table 1, and its released solvers",
        published=(Score(62.25, "val"), Score(67.64, "val", crf=True), Score(70.3, "test", crf=True)),
    ),
}
