"""All compiled loops of the package; `kernel_cache` says how they are declared and kept."""

from . import (
    kernel_cache as kernel_cache,  # before the others: it takes a digest of the sources that are about to be read
)
