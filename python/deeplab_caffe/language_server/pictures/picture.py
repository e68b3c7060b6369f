"""One net's picture: what its pages show at the moment, and those who wait for news."""

from __future__ import annotations

import html
import secrets
import threading
from collections.abc import Callable
from typing import NamedTuple

from ...errors import InputError


class Moment(NamedTuple):
    """What pages show: which drawing, and the name of the layer under the cursor ("" if there was none yet)."""

    edition: int = 1
    layer: str = ""


class Picture:
    """The picture of one file.

    Args:
        draw: the page of the net as its text is now; raises InputError if there is nothing to draw.

    Attributes:
        token: what the address has that nobody can guess.
    """

    def __init__(self, draw: Callable[[], str]) -> None:
        self.token = secrets.token_urlsafe(24)
        self._draw = draw
        self._moment = Moment()
        self._news = threading.Condition()

    @property
    def moment(self) -> Moment:
        """What pages should show now."""
        return self._moment

    def point(self, layer: str) -> None:
        """Show a layer, by its name."""
        self._set(self._moment._replace(layer=layer))

    def redraw(self) -> None:
        """Let all pages ask for the picture again."""
        self._set(self._moment._replace(edition=self._moment.edition + 1))

    def _set(self, moment: Moment) -> None:
        with self._news:
            if moment != self._moment:
                self._moment = moment
                self._news.notify_all()

    def wait(self, shown: Moment, seconds: float) -> Moment:
        """What pages should show, as soon as that is not what is shown any more, or after some time."""
        with self._news:
            self._news.wait_for(lambda: self._moment != shown, seconds)
            return self._moment

    def page(self, nonce: str) -> str:
        """The page, whose scripts have a nonce; of a net that cannot be drawn the reason."""
        edition = self._moment.edition
        try:
            text = self._draw()
        except InputError as error:
            text = _FAILED.format(html.escape(str(error)))
        before, _, after = text.rpartition("</body>")
        script = f'<script nonce="{nonce}" src="live.js" data-edition="{edition}"></script>\n'
        return f"{before}{script}</body>{after}".replace("<script>\n", f'<script nonce="{nonce}">\n')


_FAILED = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>no picture</title><link rel="icon" href="data:,"></head>
<body><p id="failed">{}</p>
<script>
const everything = [], view = {{}}, apply = () => {{}};
let selected = null;
</script>
</body></html>
"""
