"""Bad input in a request: the editor shows the message, and nothing has changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lsprotocol.types import LSPErrorCodes
from pygls.exceptions import JsonRpcException

from ..errors import InputError


class Refusal(JsonRpcException):
    """A request that cannot be fulfilled as things are; no fault of the server."""


@contextmanager
def refusing() -> Iterator[None]:
    """Within a `with` block, an InputError becomes the protocol's answer to a request that failed."""
    try:
        yield
    except InputError as error:
        raise Refusal(str(error), LSPErrorCodes.RequestFailed) from None


def log_faults_only() -> None:
    """Keep refusals, and cancellations that come too late, out of the log: it is for what is wrong."""
    logger = logging.getLogger("pygls.protocol.json_rpc")
    logger.setLevel(logging.ERROR)
    logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], Refusal)))
