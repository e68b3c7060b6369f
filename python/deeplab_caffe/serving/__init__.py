"""A local web page that segments photos with a trained model: the server, and the page itself."""

from .photos import Limits, Service
from .server import PageServer

__all__ = ["Limits", "PageServer", "Service"]
