"""The table of what may be wrong with a data set: a row for each kind of finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ERROR, WARNING, NOTE = "error", "warning", "note"


class Kind(NamedTuple):
    """One kind of finding.

    Attributes:
        severity: ERROR: the data set cannot be used as it is; WARNING: it may be meant; NOTE: worth knowing.
        title: what it is, of several files.
        advice: what to do, or what it means; may be empty where each finding says it.
    """

    severity: str
    title: str
    advice: str = ""


KINDS: Mapping[str, Kind] = {
    "list": Kind(ERROR, "lists that cannot be read"),
    "blank-line": Kind(ERROR, "blank lines", "Remove them"),
    "no-label": Kind(ERROR, "lines without a label, in lists whose other lines have one"),
    "missing-image": Kind(ERROR, "images that do not exist"),
    "missing-label": Kind(ERROR, "labels that do not exist"),
    "damaged-image": Kind(ERROR, "images that are damaged, incomplete or not supported", "Fetch or convert them again"),
    "damaged-label": Kind(ERROR, "label files that cannot be read as class indices"),
    "colour-label": Kind(
        ERROR,
        "labels with colours instead of class indices",
        "If the colours are those of the palette: deeplab dataset convert-labels FOLDER -o NEW_FOLDER --data TOML",
    ),
    "size": Kind(ERROR, "labels that differ in size from their image"),
    "value": Kind(ERROR, "labels with values that are not classes"),
    "not-upright": Kind(
        ERROR,
        "images that their EXIF data say to turn, while the data set does not say whether to",
        'State on which pixels the labels were drawn: exif = "apply" (on the turned image) or exif = "ignore" (as '
        "they are stored), or turn the files: mogrify -auto-orient FILE",
    ),
    "useless-labels": Kind(ERROR, "lists whose labels teach nothing, or leave nothing to score"),
    "test-size": Kind(ERROR, "lists with images that are larger than test_size"),
    "labels": Kind(WARNING, "unusual labels"),
    "shared-images": Kind(
        WARNING, "images that are trained on and scored", "Scores then say little about other images"
    ),
    "more-words": Kind(
        WARNING,
        "lines with more than two words, of which Caffe ignores the third and all others",
        'Remove them; if they belong to a name, write it in quotes: "my image.jpg" "my label.png"',
    ),
    "palette": Kind(
        WARNING,
        "labels with a palette in another order than the data set's",
        "Programs that save few colours number them anew. If the colours are right, the indices are wrong: deeplab "
        "dataset convert-labels FOLDER -o NEW_FOLDER --data TOML",
    ),
    "one-colour": Kind(WARNING, "images of a single colour", "Were they saved empty?"),
    "grey": Kind(WARNING, "grey images", "They are read with three equal channels, as Caffe does"),
    "cmyk": Kind(
        WARNING, "CMYK images", "Programs turn them into RGB differently; convert them: mogrify -colorspace sRGB FILE"
    ),
    "16-bit": Kind(WARNING, "images of 16 bits per channel", "Their low 8 bits are dropped, as Caffe does"),
    "alpha": Kind(
        WARNING, "images with an alpha channel", "It is dropped, as Caffe does: what was transparent shows its colour"
    ),
    "turned": Kind(NOTE, "images that their EXIF data say to turn", "The data set says how to read them"),
    "repeated": Kind(NOTE, "lines that repeat another one", "A list that is tested on may not repeat an image"),
    "missing-list": Kind(NOTE, "lists that do not exist", "They are not checked; models that need them say so"),
}
