"""A net as a page for the browser: boxes and lines are placed here, and drawn, moved and searched there."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .page import page

__all__ = ["page"]

import_on_use(__name__)
