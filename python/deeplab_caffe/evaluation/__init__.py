"""Evaluation: scores of label maps, training logs, figures and the report. Works on files and arrays, without nets."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from . import score_files
    from .accuracy_curves import AccuracyStage, accuracies_of_log, accuracy_curves
    from .bootstrap import gain_interval, gain_intervals
    from .confusion import (
        MEAN_IOU_RULE,
        Scores,
        class_ious,
        confusion_matrices,
        confusion_matrix,
        differing_classes,
        mean_iou,
    )
    from .figures import bars, colour_labels, overlay, png, side_by_side, with_legend
    from .galleries import ClassBeliefs, Gallery, attention_gallery, belief_gallery, edge_gallery
    from .image_rows import Example
    from .image_scores import ImageRow, lowest_first
    from .pages import page_sources
    from .plot_style import Chart, chart
    from .report_page import Report, examples_strip, write_report
    from .score_figures import confusion_picture, trimap_curves, trimap_picture
    from .scoring import Counts, ImageScore, Pair, count_pairs, refuse
    from .train_log import TrainLog, parse_train_log, read_train_log
    from .training_curves import TrainingStage, log_curves, loss_curve
    from .training_tables import TrainingTable, read_training
    from .trimap import BandScore, Trimap, band_scores, border_distance

__all__ = [
    "MEAN_IOU_RULE",
    "AccuracyStage",
    "BandScore",
    "Chart",
    "ClassBeliefs",
    "Counts",
    "Example",
    "Gallery",
    "ImageRow",
    "ImageScore",
    "Pair",
    "Report",
    "Scores",
    "TrainLog",
    "TrainingStage",
    "TrainingTable",
    "Trimap",
    "accuracies_of_log",
    "accuracy_curves",
    "attention_gallery",
    "band_scores",
    "bars",
    "belief_gallery",
    "border_distance",
    "chart",
    "class_ious",
    "colour_labels",
    "confusion_matrices",
    "confusion_matrix",
    "confusion_picture",
    "count_pairs",
    "differing_classes",
    "edge_gallery",
    "examples_strip",
    "gain_interval",
    "gain_intervals",
    "lowest_first",
    "log_curves",
    "loss_curve",
    "mean_iou",
    "overlay",
    "page_sources",
    "parse_train_log",
    "png",
    "read_train_log",
    "read_training",
    "refuse",
    "score_files",
    "side_by_side",
    "trimap_curves",
    "trimap_picture",
    "with_legend",
    "write_report",
]

import_on_use(__name__)
