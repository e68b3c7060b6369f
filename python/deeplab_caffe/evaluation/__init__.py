"""Evaluation: scores of label maps, training logs, figures and the report. Works on files and arrays, without nets."""

from .confusion import MEAN_IOU_RULE, Scores, class_ious, confusion_matrix, differing_classes, mean_iou
from .figures import bars, colour_labels, overlay, png, side_by_side
from .galleries import ClassBeliefs, Gallery, attention_gallery, belief_gallery, edge_gallery
from .report_page import Example, Report, examples_strip, write_report
from .train_log import TrainLog, parse_train_log, read_train_log
from .training_curves import TrainingStage, log_curves, loss_curve

__all__ = [
    "MEAN_IOU_RULE",
    "ClassBeliefs",
    "Example",
    "Gallery",
    "Report",
    "Scores",
    "TrainLog",
    "TrainingStage",
    "attention_gallery",
    "bars",
    "belief_gallery",
    "class_ious",
    "colour_labels",
    "confusion_matrix",
    "differing_classes",
    "edge_gallery",
    "examples_strip",
    "log_curves",
    "loss_curve",
    "mean_iou",
    "overlay",
    "parse_train_log",
    "png",
    "read_train_log",
    "side_by_side",
    "write_report",
]
