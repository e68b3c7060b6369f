"""The former place of `pydensecrf.densecrf`."""

from .pydensecrf.densecrf import *  # noqa: F403
