"""Bad input in a request: the editor shows the message, and nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lsprotocol.types import LSPErrorCodes
from pygls.exceptions import JsonRpcException

from ..errors import InputError


@contextmanager
def refusing() -> Iterator[None]:
    """Within a `with` block, an InputError becomes the protocol's answer to a request that failed."""
    try:
        yield
    except InputError as error:
        raise JsonRpcException(str(error), LSPErrorCodes.RequestFailed) from None
