"""A local web page that segments photos with a trained model: the server, and the page itself."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .photos import Limits, Service
    from .server import PageServer

__all__ = ["Limits", "PageServer", "Service"]

import_on_use(__name__)
