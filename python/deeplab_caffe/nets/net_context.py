"""What the functions that write a net need to know: its role, data set, options and recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..arrays import Size
from ..data import Dataset, read_list
from ..errors import InputError
from .blocks import Style
from .input_sizes import EIGHTH, SizeRule, as_size
from .options import GeneratorOptions
from .solver_recipes import Recipe

Role = Literal["train", "train2", "test", "deploy"]

_CROP, _TEST_CROP = 321, 513
_DROPOUT = 0.5


def class_weights_file(folder: str, role: str) -> str:
    """The file that lies beside a training net of role train or train2, if its classes have weights."""
    return f"{folder}/class_weights{role.removeprefix('train')}.binaryproto"


@dataclass(frozen=True)
class NetContext:
    """What one net is written for.

    Attributes:
        role: train, train2, test or deploy.
        dataset: the data set.
        options: the user's options.
        recipe: that of the role's stage (of stage 1 for the test and deploy nets), with the options applied.
        sizes: the input sizes that the model takes.
        folder: where the net's file will lie.
    """

    role: Role
    dataset: Dataset
    options: GeneratorOptions
    recipe: Recipe
    sizes: SizeRule = EIGHTH
    folder: str = ""

    @property
    def is_training(self) -> bool:
        """Whether the net is trained: in role train or train2."""
        return self.role in ("train", "train2")

    @property
    def num_classes(self) -> int:
        return len(self.dataset.classes)

    @property
    def classifier(self) -> str:
        """`fc8_<data set>`, the name of the last layer: weights of another data set's classifier do not fit it."""
        return f"fc8_{self.dataset.name}"

    @property
    def class_weights(self) -> str | None:
        """The file of the matrix with the weights of the classes; None if all weigh the same."""
        return class_weights_file(self.folder, self.role) if self.options.class_weights else None

    @property
    def style(self) -> Style:
        """How the layers of the net are written."""
        options = self.options
        return Style(
            training=self.is_training,
            width=1 if options.width is None else options.width,
            batch_norm=options.batch_norm,
            moving_average_fraction=options.moving_average_fraction,
            from_scratch=options.from_scratch,
            residuals_start_at_zero=options.from_scratch and self.role == "train",
            dropout_ratio=_DROPOUT if options.dropout is None else options.dropout,
            stride_on_3x3=options.stride_on == "3x3",
        )

    @property
    def scale(self) -> float:
        """The factor on the pixels, after the mean is subtracted."""
        return 1 if self.options.scale is None else self.options.scale

    @property
    def size(self) -> Size:
        """(height, width) of the net's input in pixels: the training crop, or the size that test images are padded to.

        That of the options, which must fit; else that of the recipe, the data set or the default, rounded up.

        Raises:
            InputError: the size in the options does not fit.
        """
        name, hint = ("crop", self.dataset.crop) if self.is_training else ("test_crop", self.dataset.test_size)
        given = getattr(self.options, name)
        if given is not None:
            return self.sizes.check(as_size(given, f"option {name}"), f"option {name}")
        crop = self.recipe.crop if self.is_training else None
        return self.sizes.fit(as_size(crop or hint or (_CROP if self.is_training else _TEST_CROP), name))

    @property
    def usual_lists(self) -> tuple[str, ...]:
        """The lists that this role may read if the options name none; the first that exists is read."""
        if self.is_training and self.recipe.lists:
            return self.recipe.lists
        stages = {"train": ("train_aug", "train"), "train2": ("trainval_aug", "trainval")}
        return stages.get(self.role, ("val", "test"))

    @property
    def list_name(self) -> str:
        """The list that this role reads: that of the options, else the first usual one that the data set has.

        Raises:
            InputError: the data set has no such list.
        """
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
        """The file of the list that this role reads."""
        return self.dataset.list_path(self.list_name)

    @property
    def root_folder(self) -> str:
        """The folder that ImageSegData puts before the paths in a list, with a slash if those begin without one."""
        if self.options.root_folder is not None:
            return self.options.root_folder
        entry = self._first_entry()
        return self.dataset.root_folder("/" if entry is None else entry.image)

    @property
    def has_labels(self) -> bool:
        """Whether the list names label files; true if the list does not exist yet."""
        entry = self._first_entry()
        return entry is None or entry.label is not None

    def _first_entry(self) -> Any:
        return read_list(self.list_file, needs_label=False)[0] if self.list_file.is_file() else None
