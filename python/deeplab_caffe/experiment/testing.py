"""How an experiment is tested: the protocol, which weights, and where the CRF's parameters come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..arrays import Size
from ..crf import CRFParameters, preset
from ..errors import InputError
from ..inference import Protocol
from ..nets import look_up

#: the word for whole images, where a data set is tested in regions by default
WHOLE = "none"
#: regions that a publication tests with: data set and the beginning of the model's source. DeepLab v2 does not state
#: their size; 513 is the training crop
_REGIONS: Mapping[tuple[str, str], Size] = {("cityscapes", "DeepLab v2"): (513, 513)}


#: the settings that say how an image is computed; the others say with which weights and CRF parameters
PROTOCOL = ("scales", "flip", "tile", "overlap")


def _setting(help: str, default: Any = None) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Testing:
    """The settings of the stages test, search and crf; the help text of each field says what it is, and its default.

    Raises:
        InputError: a value is out of range, a file does not exist, or two settings contradict each other.

    Example:
        >>> dict(Testing(scales=(0.5, 1), tile=513).stated())
        {'scales': (0.5, 1), 'tile': 513}
    """

    scales: tuple[float, ...] = _setting("test at several scales, and average the probabilities; 1", ())
    flip: bool = _setting("test mirrored images as well, and average the probabilities", False)
    tile: int | Size | str | None = _setting(
        "test in overlapping regions of this size; whole images, but 513 for DeepLab v2 on Cityscapes (none: whole)"
    )
    overlap: float | None = _setting("part of a region that it shares with the next one; 0.25")
    weights: str | None = _setting("weight file to test, on every list; those that are trained here")
    stage: int | None = _setting(
        "test the weights of training stage 1 or 2 on every list; 2's on the list test or one without labels, else 1's"
    )
    preset: str | None = _setting("CRF parameters of released weights, instead of those that the stage search finds")

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if isinstance(self.tile, list):
            object.__setattr__(self, "tile", tuple(self.tile))
        assert self.protocol.passes
        if self.stage not in (None, 1, 2):
            raise InputError(f"stage: got {self.stage!r}; wanted 1 or 2, a stage of the training")
        if self.weights is not None and self.stage is not None:
            raise InputError(f"--weights {self.weights} and --stage {self.stage} contradict each other; state one")
        if self.weights is not None and not Path(self.weights).is_file():
            raise InputError(f"--weights {self.weights}: there is no such file")
        assert self.preset is None or self.crf_parameters

    @property
    def protocol(self) -> Protocol:
        """Scales, mirroring and regions."""
        tile = None if isinstance(self.tile, str) and self.tile == WHOLE else self.tile
        return Protocol(self.scales or (1.0,), bool(self.flip), tile, 0.25 if self.overlap is None else self.overlap)  # type: ignore[arg-type]

    @property
    def crf_parameters(self) -> CRFParameters | None:
        """Those of the preset; None if they are searched."""
        return None if self.preset is None else preset(self.preset)

    def stated(self) -> Mapping[str, Any]:
        """The settings that differ from their defaults, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def command_line(self) -> list[str]:
        """The flags that state these settings.

        Example:
            >>> Testing(scales=(0.5, 1), flip=True, tile=(513, 1025)).command_line()
            ['--scales', '0.5,1', '--flip', '--tile', '513x1025']
        """
        words: list[str] = []
        for name, value in self.stated().items():
            words += [f"--{name}"] if value is True else [f"--{name}", _text(value, "x" if name == "tile" else ",")]
        return words

    def checked(self) -> Testing:
        """The same, if the settings make sense together; call this when the defaults of the model are known.

        Raises:
            InputError: an overlap without regions.
        """
        if self.overlap is not None and self.protocol.regions is None:
            raise InputError(f"--overlap {self.overlap:g} is that of regions; state their size with --tile")
        return self


def _text(value: Any, separator: str) -> str:
    if isinstance(value, tuple):
        return separator.join(_text(item, separator) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def testing_of(name: str, given: Testing | None) -> Testing:
    """The settings of a published model `<data set>/<model>`: regions by default where the publication tests with them.

    Example:
        >>> testing_of("cityscapes/resnet101_aspp", None).tile, testing_of("cityscapes/v3_resnet101_aspp", None).tile
        ((513, 513), None)
    """
    testing = given or Testing()
    dataset, variant = look_up(name)
    tile = next((size for (on, by), size in _REGIONS.items() if dataset == on and variant.source.startswith(by)), None)
    return (replace(testing, tile=tile) if tile and testing.tile is None else testing).checked()
