"""Bundles where a command takes a net, weights, a data set or CRF parameters: what is meant of the file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..formats.bundle import CRF, DATASET, NET, Unpacked, is_bundle, read_bundle
from ..formats.definition import Definition, definition_in
from ..formats.prototxt import Document
from ..formats.python_layers import to_native
from ..formats.weight_files import WeightFile

if TYPE_CHECKING:
    from ..crf import CRFParameters
    from ..data import Dataset
    from ..inspection.lint import Finding, Linter


def document(word: str, values: Mapping[str, str] | None = None) -> Document:
    """The prototxt that a word names; of a bundle its deploy net, as pets.deeplab/deploy.prototxt."""
    if not is_bundle(word):
        return Document.read(word, values)
    found = read_bundle(word)
    return Document(found.texts[NET], found.where(NET))


def net(word: str) -> Definition:
    """The deploy net of a bundle."""
    found = definition_in(document(word))
    for entry in found.entries:
        to_native(entry.param)
    return found


@contextmanager
def weight_file(word: str) -> Iterator[str]:
    """The path of the weight file that a word names.

    A bundle's exists within the block, whose errors name the bundle.
    """
    if not is_bundle(word):
        yield word
        return
    unpacked = Unpacked(word)
    with unpacked.naming():
        yield str(unpacked.folder / unpacked.bundle.weights)


def weights(word: str, read: Callable[[str], WeightFile]) -> WeightFile:
    """The weights in a file, or in a bundle, by one of the readers of weight files; they are called by the word."""
    if not is_bundle(word):
        return read(word)
    with weight_file(word) as path:
        return replace(read(path), path=word)


@contextmanager
def _member(word: str, name: str, lacks: str) -> Iterator[Path]:
    """A file with the text of a bundle's member within the block, whose errors name the bundle."""
    found = read_bundle(word)
    if name not in found.texts:
        raise InputError(f"{word}: has no {lacks}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(found.texts[name], encoding="utf-8")
        try:
            yield path
        except InputError as error:
            raise InputError(str(error).replace(folder, word)) from error


def dataset(word: str) -> Dataset:
    """The data set that a word names: a bundle's has no lists and no images."""
    from ..data import named_dataset, read_dataset

    if not is_bundle(word):
        return named_dataset(word)
    with _member(word, DATASET, "description of a data set; state its name or TOML file") as path:
        return replace(read_dataset(path), root=Path("."), lists={}, file=Path(word, DATASET))


def crf_parameters(word: str) -> CRFParameters:
    """The CRF parameters in the JSON file, or in the bundle, that a word names."""
    from ..crf import CRFParameters

    if not is_bundle(word):
        return CRFParameters.load(word)
    with _member(word, CRF, "CRF parameters; state a preset or a JSON file") as path:
        return CRFParameters.load(path)


def lint(linter: Linter, path: Path) -> list[Finding]:
    """The findings in a prototxt, or in the deploy net of a bundle."""
    if not is_bundle(path):
        return linter.lint(path)
    with _member(str(path), NET, "net") as file:
        return [replace(found, file=str(path / NET)) for found in linter.lint(file)]
