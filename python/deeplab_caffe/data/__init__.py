"""Data sets: labels, lists, descriptions, and a synthetic sample. Knows files and arrays, no net."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .builders import build_dataset
    from .builders.voc12 import build_augmented, write_voc_lists
    from .dataset import Dataset, read_dataset, write_dataset
    from .descriptions import described_names, description_file, named_dataset, named_file
    from .image_statistics import crop_for, largest_image, mean_bgr
    from .images import image_size, read_image
    from .labels import check_labels, read_label, voc_palette, write_label
    from .lists import ListEntry, check_files, full_path, hold_out, list_id, list_ids, read_list, write_list

__all__ = [
    "Dataset",
    "ListEntry",
    "build_augmented",
    "build_dataset",
    "check_files",
    "check_labels",
    "crop_for",
    "described_names",
    "description_file",
    "full_path",
    "hold_out",
    "image_size",
    "largest_image",
    "list_id",
    "list_ids",
    "mean_bgr",
    "named_dataset",
    "named_file",
    "read_dataset",
    "read_image",
    "read_label",
    "read_list",
    "voc_palette",
    "write_dataset",
    "write_label",
    "write_list",
    "write_voc_lists",
]

import_on_use(__name__)
