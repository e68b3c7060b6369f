"""The `deeplab` command: one subcommand per stage of an experiment and per tool, imported when it is called."""

from .main import guarded, main

__all__ = ["guarded", "main"]
