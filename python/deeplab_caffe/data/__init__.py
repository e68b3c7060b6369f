"""Data sets: labels, lists, descriptions, and a synthetic sample. Knows files and arrays, no net."""

from .labels import check_labels, read_label, voc_palette, write_label
from .lists import ListEntry, check_files, full_path, list_id, read_list, write_list

__all__ = [
    "ListEntry",
    "check_files",
    "check_labels",
    "full_path",
    "list_id",
    "read_label",
    "read_list",
    "voc_palette",
    "write_label",
    "write_list",
]
