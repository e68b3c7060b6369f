"""The `deeplab` command: a table of subcommands, and one module for each, imported when it is called."""

from .main import guarded, main

__all__ = ["guarded", "main"]
