"""The generated texts that edits by hand start from, kept beside the files, so that an edit can be merged later."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..files import write_text
from ..formats.prototxt import Document
from ..formats.signature import is_untouched, stated_sum

#: the folder, in that of the nets, of the texts as they were generated
KEPT = ".generated"


def kept_path(path: Path) -> Path:
    """Where the generated text of a file is kept."""
    return path.parent / KEPT / path.name


def keep(path: Path, text: str) -> None:
    """Keep the text that was generated for a file; raises OSError if it cannot be written."""
    kept = kept_path(path)
    if not kept.is_file() or kept.read_bytes() != text.encode():
        write_text(kept, text)


def forget_kept(path: Path) -> None:
    """Remove what is kept of a file that is no longer generated, and the folder with the last one."""
    kept = kept_path(path)
    kept.unlink(missing_ok=True)
    if kept.parent.is_dir() and not any(kept.parent.iterdir()):
        kept.parent.rmdir()


def kept_base(document: Document, *others: Document) -> Document | None:
    """The generated text that an edited file started from; None if it is not known.

    The header of the file has its sum. A file without that header started from what was kept last.

    Args:
        document: the edited file.
        others: further texts that it may have started from.
    """
    wanted = stated_sum(document.text)
    path = kept_path(Path(document.filename))
    if path.is_file():
        others = (_read(path), *others)
        if wanted is None and is_untouched(others[0].text):
            return others[0]
    return next((o for o in others if wanted and stated_sum(o.text) == wanted and is_untouched(o.text)), None)


def _read(path: Path) -> Document:
    try:
        return Document.read(path)
    except InputError:  # damaged; its sum would not be right either
        return Document("", str(path))
