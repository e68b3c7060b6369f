"""The net that a command-line argument names: a prototxt file, a bundle's, or the deploy net of a model."""

from __future__ import annotations

import os

from ..formats.bundle import is_bundle
from ..formats.definition import Definition, definition_in
from ..formats.prototxt import Document
from ..inspection.net_source import read_source
from ..nets import generate
from . import bundled


def definition_named(net: str) -> Definition:
    """The net in a prototxt file (of a net or a solver), or the deploy net of a bundle or of `<data set>/<model>`."""
    if is_bundle(net):
        return bundled.net(net)
    if os.path.exists(net) or net.endswith(".prototxt"):
        return read_source(net).definition
    return definition_in(Document(generate(net)["deploy.prototxt"], f"{net}: deploy.prototxt"))
