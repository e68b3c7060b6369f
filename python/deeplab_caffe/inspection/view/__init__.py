"""A net as a page for the browser: boxes and lines are placed here, and drawn, moved and searched there."""

from .page import page

__all__ = ["page"]
