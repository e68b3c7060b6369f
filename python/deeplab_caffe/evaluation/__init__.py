"""Evaluation: scores from label maps, figures, report. Knows files and arrays, no net."""

from .confusion import Scores, confusion_matrix

__all__ = ["Scores", "confusion_matrix"]
