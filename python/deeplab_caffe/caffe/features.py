"""Blobs of a net, batch by batch, into databases. Mirrors `tools/extract_features.cpp`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from ..errors import InputError
from ..formats.database_writer import DatabaseWriter, new_database
from ..formats.datum import array_to_datum
from ..progress import tracked
from .blob import Blob
from .net.net import Net


def extract_features(net: Net, databases: Mapping[str, str], batches: int, backend: str = "lmdb") -> int:
    """Run a net for some batches; each item of a blob becomes a datum (C, H, W) of floats in that blob's database.

    Args:
        net: run in batches as its data layers give them.
        databases: {blob: folder of a new database}. Keys are the items' numbers with ten digits.
        batches: how many times the net is run.
        backend: `lmdb` or `leveldb`.

    Returns:
        The number of items that each database got.

    Raises:
        InputError: for a blob that the net does not have, or of more than four axes, and where a database cannot be
            made; then none is.
    """
    for name in databases:
        if name not in net.blobs:
            raise InputError(f"{net.source}: the net has no blob '{name}' (it has {', '.join(net.blobs)})")
        if not 1 <= len(net.blobs[name].shape) <= 4:
            raise InputError(
                f"{net.source}: blob '{name}' is {net.blobs[name].shape}; wanted (N, C, H, W) or fewer axes"
            )
    plan = net.plan(list(databases))
    counts = dict.fromkeys(databases, 0)
    with ExitStack() as stack:
        stores = {name: stack.enter_context(new_database(path, backend)) for name, path in databases.items()}
        for _ in tracked(range(batches), "extract_features", unit="step"):
            plan.run()
            for name, store in stores.items():
                counts[name] = _put(store, net.blobs[name], counts[name])
    return max(counts.values(), default=0)


def _put(store: DatabaseWriter, blob: Blob, number: int) -> int:
    """Add a blob's items, numbered from `number` on; returns the next number."""
    items = blob.data.reshape(*blob.shape, *(1,) * (4 - len(blob.shape)))
    for i, item in enumerate(items, number):
        datum = array_to_datum(item)
        datum.encoded = False
        store.put(f"{i:010d}".encode(), datum.SerializeToString())
    return number + len(items)
