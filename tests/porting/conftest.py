"""Fixtures: a server on this machine, and a small net with its weights."""

from random_nets import model

from servers import server

__all__ = ["model", "server"]
