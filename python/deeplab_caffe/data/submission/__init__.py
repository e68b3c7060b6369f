"""Archives for test servers: what they look like, writing them from a folder of label PNGs, checking them."""

from .check import Checked, check_archive, images_to_submit
from .servers import SERVERS, Server
from .write import Results, write_archive

__all__ = ["SERVERS", "Checked", "Results", "Server", "check_archive", "images_to_submit", "write_archive"]
