"""The model in a bundle."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..data import read_dataset
from ..errors import InputError
from ..experiment.testing import PROTOCOL, Testing
from ..formats import bundle
from ..formats.definition import read_definition
from ..reading import reading
from .bundle_net import check_self_contained
from .model import Model, check_net, check_weights


def model_of_bundle(path: str | os.PathLike[str], testing: Testing | None = None) -> Model:
    """The model in a bundle.

    Args:
        path: the file.
        testing: settings that override those in the bundle; `weights` is used instead of the bundle's.

    Raises:
        InputError: the file is missing, damaged or no bundle, or its net needs other files.
    """
    given = testing or Testing()
    if given.stage is not None:
        raise InputError(f"--stage {given.stage}: {os.fspath(path)} is a bundle, which has the weights of one stage")
    unpacked = bundle.Unpacked(path)
    folder, held = unpacked.folder, unpacked.bundle
    with unpacked.naming():
        net = folder / bundle.NET
        check_net(net)
        check_self_contained(read_definition(net))
        dataset = read_dataset(folder / bundle.DATASET) if bundle.DATASET in held.texts else None
        if given.weights is not None:
            check_weights(Path(given.weights))
    return Model(
        name=str(held.path),
        net=net,
        weights=folder / held.weights if given.weights is None else Path(given.weights),
        test_net=folder / bundle.TEST_NET if bundle.TEST_NET in held.texts else None,
        dataset=dataset and replace(dataset, root=Path("."), lists={}, file=Path(held.where(bundle.DATASET))),
        testing=_testing_in(held, given),
        crf=folder / bundle.CRF,
        unpacked=unpacked,
    )


def _testing_in(held: bundle.Bundle, given: Testing) -> Testing:
    """The settings given; for the rest those in the bundle."""
    saved = {name: held.manifest["testing"].get(name) for name in PROTOCOL}
    with reading(held.path, damaged=f"{{path}}: {bundle.MANIFEST}: 'testing': {{reason}}"):
        stated = Testing(**{name: value for name, value in saved.items() if value is not None}).stated()
        return Testing(**{**stated, **given.stated()}).checked()
