"""Fixtures: a server on this machine."""

from servers import server

__all__ = ["server"]
