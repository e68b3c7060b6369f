"""What the server offers, a module each: functions of a buffer, and `register(server)`, which puts them on a server.

No feature imports another one.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any


def register_all(server: Any) -> None:
    """Put every feature on a server: each module here has `register`."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f".{module.name}", __name__).register(server)
