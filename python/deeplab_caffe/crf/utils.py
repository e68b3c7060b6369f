"""The former place of `pydensecrf.utils`."""

from .pydensecrf.utils import *  # noqa: F403
