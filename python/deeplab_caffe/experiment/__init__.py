"""One experiment: its stages from data to report, and where its files lie."""

from .layout import Experiment, demo, published
from .stages import STAGES, run
from .training import Stopped

__all__ = ["STAGES", "Experiment", "Stopped", "demo", "published", "run"]
