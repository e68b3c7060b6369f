"""Everything a family of nets needs to know to write one of its four nets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..arrays import Size
from ..data import Dataset, read_list
from ..errors import InputError
from .blocks import Style
from .options import Options
from .sizes import EIGHTH, SizeRule, as_size
from .solvers import Recipe

Role = Literal["train", "train2", "test", "deploy"]

_CROP, _TEST_CROP = 321, 513


@dataclass(frozen=True)
class Setting:
    """One net to be written: its role, the data set, the user's options, the recipe with those options applied.

    The recipe is that of the role's stage; of stage 1 in the test and deploy nets. sizes: the variant's rule.
    """

    role: Role
    dataset: Dataset
    options: Options
    recipe: Recipe
    sizes: SizeRule = EIGHTH

    @property
    def is_training(self) -> bool:
        return self.role in ("train", "train2")

    @property
    def num_classes(self) -> int:
        return len(self.dataset.classes)

    @property
    def classifier(self) -> str:
        """`fc8_<data set>`: the name that keeps weights of one data set out of the net of another."""
        return f"fc8_{self.dataset.name}"

    @property
    def style(self) -> Style:
        options = self.options
        return Style(
            training=self.is_training,
            width=options.width,
            batch_norm=options.batch_norm,
            moving_average_fraction=options.moving_average_fraction,
            from_scratch=options.from_scratch,
            dropout_ratio=options.dropout,
            stride_on_3x3=options.stride_on == "3x3",
        )

    @property
    def size(self) -> Size:
        """(height, width) of the net's input: the training crop, or the size that test images are padded to.

        The option's if there is one, which must fit; else the recipe's, the data set's or the usual one, rounded up.
        """
        name, hint = ("crop", self.dataset.crop) if self.is_training else ("test_crop", self.dataset.test_size)
        given = getattr(self.options, name)
        if given is not None:
            return self.sizes.check(as_size(given, f"option {name}"), f"option {name}")
        crop = self.recipe.crop if self.is_training else None
        return self.sizes.fit(as_size(crop or hint or (_CROP if self.is_training else _TEST_CROP), name))

    @property
    def usual_lists(self) -> tuple[str, ...]:
        """The lists that this role may read where the options name none, the best first."""
        if self.is_training and self.recipe.lists:
            return self.recipe.lists
        stages = {"train": ("train_aug", "train"), "train2": ("trainval_aug", "trainval")}
        return stages.get(self.role, ("val", "test"))

    @property
    def list_name(self) -> str:
        """The list this role reads: the one in the options, else the first usual one that the data set has."""
        return self._list(f"{self.role}_set" if self.is_training else "test_set", self.usual_lists)

    @property
    def weak_list(self) -> str:
        """The list of weakly labelled images that a semi-supervised net is trained on as well."""
        return self._list("weak2_set" if self.role == "train2" else "weak_set", self.recipe.weak_lists)

    def _list(self, option: str, usual: tuple[str, ...]) -> str:
        given = getattr(self.options, option)
        if given is not None:
            self.dataset.list_path(given)
            return str(given)
        for name in usual:
            if name in self.dataset.lists:
                return name
        raise InputError(
            f"{self.dataset.file}: no list {' or '.join(usual)}; add one under [lists], or name another with {option}"
        )

    @property
    def list_file(self) -> Path:
        return self.dataset.list_path(self.list_name)

    @property
    def root_folder(self) -> str:
        """What ImageSegData puts before the list's words; a slash is added where the words begin without one."""
        if self.options.root_folder is not None:
            return self.options.root_folder
        entry = self._first_entry()
        return self.dataset.root_folder("/" if entry is None else entry.image)

    @property
    def has_labels(self) -> bool:
        """Whether the list names label files; assumed while the list is not there."""
        entry = self._first_entry()
        return entry is None or entry.label is not None

    def _first_entry(self) -> Any:
        return read_list(self.list_file, needs_label=False)[0] if self.list_file.is_file() else None
