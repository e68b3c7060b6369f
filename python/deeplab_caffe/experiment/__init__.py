"""One experiment: its stages from data to report, and where its files lie."""

from .layout import Experiment, demo, published
from .stages import STAGES, run

__all__ = ["STAGES", "Experiment", "demo", "published", "run"]
