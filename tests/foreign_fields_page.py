"""Writes docs/foreign-fields.md: fields and words that other Caffes added, by message.

python tests/foreign_fields_page.py
"""

from __future__ import annotations

from pathlib import Path

from deeplab_caffe.formats import schema
from deeplab_caffe.formats.foreign_fields import TABLE, WORDS, ForeignFields

PAGE = Path(__file__).parent.parent / "docs" / "foreign-fields.md"
_HEAD = """\
# Fields of other Caffes

This page is written by `make docs` from `formats/foreign_fields.py`. Many published nets were made for a fork of Caffe
that added fields of its own. `deeplab prototxt upgrade`, `format`, `lint`, `diff`, `view` and `inspect` read such files
and keep what they do not know as it is written
([tools for prototxt](prototxt-tools.md#files-of-other-caffes)). A net with such a field is not built. Those that only
say how fast or in which precision it runs ("the results are the same", "values are float32 here") are ignored, with a
warning.
`lint` says of each field below what stands here. Fields that are not listed are kept as well.

A field marked with * may change the shapes of its layer: `view` and `inspect` leave them open; `--shape` states them.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for message in dict.fromkeys(row.message for row in TABLE):
        rows = [row for row in TABLE if row.message == message and _unknown(row)]
        if rows:
            head = "| field | Caffe | what it does there | what to do here |"
            lines += [f"## {message}", "", head, "|---|---|---|---|"]
            lines += [_line(row) for row in rows] + [""]
    lines += ["## Words of enums", "", "| word | Caffe | what to do here |", "|---|---|---|"]
    lines += [f"| `{word}` | {caffe} | {advice} |" for word, (caffe, advice) in WORDS.items()]
    return "\n".join(lines) + "\n"


def _line(row: ForeignFields) -> str:
    star = "*" if row.resizes else ""
    names = ", ".join(f"`{name}`{star}" for name in _unknown(row))
    return f"| {names} | {row.caffe} | {row.meaning} | {row.advice} |"


def _unknown(row: ForeignFields) -> list[str]:
    """The fields of a row that the schema lacks, and those that may be stated only once here."""
    known = schema.NAMES[row.message].DESCRIPTOR.fields_by_name
    return [name for name in row.names.split() if name not in known or row.repeats]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
