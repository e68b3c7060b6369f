"""Solver recipes: how a net is trained, and its solver prototxt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..arrays import Size
from ..formats import schema
from ..formats.lr_policies import LR_POLICIES

#: the learning rate policies of generated solvers
POLICIES = ("step", "poly", "fixed")


@dataclass(frozen=True)
class Recipe:
    """How one stage is trained: stochastic gradient descent with momentum over `iterations` updates.

    Fields that are not described here are those of Caffe's SolverParameter.

    Attributes:
        policy: how the learning rate changes, one of POLICIES.
        batch_size: images per batch; an update is made of `iter_size` batches.
        iterations: the number of updates.
        crop: (height, width) of the training images in pixels; None for the data set's.
        scale_factors: training images are scaled by one of these, chosen at random; () for none.
        mirror: whether images are flipped at random.
        lists: names of lists, the first of which that the data set has is trained on; () for the usual ones.
        weak_lists: likewise, for the weakly labelled images that a semi-supervised net is trained on as well.
    """

    policy: str
    batch_size: int
    iterations: int
    base_lr: float = 0.001
    stepsize: int = 2000
    gamma: float = 0.1
    power: float = 0.9
    momentum: float = 0.9
    weight_decay: float = 0.0005
    iter_size: int = 1
    snapshot: int = 2000
    display: int = 10
    average_loss: int = 1
    random_seed: int | None = None
    solver_mode: str = "GPU"
    crop: Size | None = None
    scale_factors: tuple[float, ...] = ()
    mirror: bool = True
    lists: tuple[str, ...] = ()
    weak_lists: tuple[str, ...] = ()


#: DeepLab v1's release (LargeFOV, COCO-LargeFOV, MSc), stage 1 and 2: a tenth of the rate every 2000 updates.
STEP_V1 = (Recipe("step", batch_size=30, iterations=6000), Recipe("step", batch_size=30, iterations=8000))
#: DeepLab v2, Table 2, last row: small batches, many of them, and a rate that falls as (1 - iter / max_iter)^.9.
POLY_V2 = Recipe("poly", batch_size=10, iterations=20000, display=20, average_loss=20)
#: DeepLab v2's released ResNet-101 solvers, both stages.
POLY_RESNET = Recipe(
    "poly", batch_size=1, iterations=20000, base_lr=2.5e-4, iter_size=10, snapshot=10000, display=20, average_loss=20
)


def solver(recipe: Recipe, train_net: str, snapshot_prefix: str) -> Any:
    """The SolverParameter of one stage.

    Args:
        recipe: how the stage is trained.
        train_net: the path of the training net.
        snapshot_prefix: the path of snapshots, without `_iter_<n>.caffemodel`.
    """
    result = schema.SolverParameter(
        train_net=train_net,
        base_lr=recipe.base_lr,
        display=recipe.display,
        max_iter=recipe.iterations,
        lr_policy=recipe.policy,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        snapshot=recipe.snapshot,
        snapshot_prefix=snapshot_prefix,
        solver_mode=recipe.solver_mode,
    )
    for field in LR_POLICIES[recipe.policy].needs:
        setattr(result, field, getattr(recipe, field))
    if recipe.iter_size != 1:
        result.iter_size = recipe.iter_size
    if recipe.average_loss != 1:
        result.average_loss = recipe.average_loss
    if recipe.random_seed is not None:
        result.random_seed = recipe.random_seed
    return result
