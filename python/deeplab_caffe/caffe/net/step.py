"""One layer of a net with the blobs around it."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError
from ..blob import Blob
from ..layer_types.base import Layer

#: the name of tops that a layer makes without its definition naming them
AUTOMATIC = "(automatic)"


@dataclass(eq=False)
class NetStep:
    """A layer at its place in a net: what it reads and writes, as blobs and by name.

    top_names: `(automatic)` for tops that its definition does not name.
    """

    layer: Layer
    name: str
    bottoms: list[Blob]
    tops: list[Blob]
    bottom_names: list[str]
    top_names: list[str]

    @property
    def memories(self) -> set[int]:
        """The ids of the memories whose values it reads or writes."""
        return {id(blob.data_memory) for blob in (*self.bottoms, *self.tops)}

    def reshape(self) -> None:
        """Let the layer give its tops their shapes."""
        try:
            self.layer.reshape(self.bottoms, self.tops)
        except InputError as error:
            if f"layer '{self.name}'" in str(error):
                raise
            self.layer.fail(str(error))
