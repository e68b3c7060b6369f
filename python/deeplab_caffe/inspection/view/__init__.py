"""A net as a page for the browser: boxes and lines placed here, drawn, moved and searched there."""

from .page import page

__all__ = ["page"]
