"""Archives for test servers: what they look like, writing them from a folder of label PNGs, checking them."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .check import Checked, check_archive, images_to_submit
    from .servers import SERVERS, Server
    from .write import Results, write_archive

__all__ = ["SERVERS", "Checked", "Results", "Server", "check_archive", "images_to_submit", "write_archive"]

import_on_use(__name__)
