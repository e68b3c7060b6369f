"""Manual edits of a model's files merged with what the generator makes now: all files in one go, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..files import replacing, write_bytes
from ..formats.prototxt import Document
from ..inspection.merge import MergeResult, conflict_marks, findings, merge_documents, misfits
from ..inspection.merge.outcome import lines
from ..nets import OPTIONAL, backup_of, base_of, forget_kept, generated_pairs, is_untouched, keep


@dataclass
class Merging:
    """That the stage prototxt merges edited files rather than keep them, and what it left to be decided.

    Attributes:
        base: folder of the files as they were generated before they were edited, where that is not known otherwise.
        left: filled by the stage: conflicts whose marks still stand, and what no longer fits, a line each.
    """

    base: str | None = None
    left: list[str] = field(default_factory=list)


@dataclass
class MergedFiles:
    """What became of the files of a model.

    Attributes:
        folder: where they are.
        written: new, or as generated now because they had not been edited.
        unchanged: there already, byte for byte; edited files with nothing new to merge are among them.
        merged: file name → the merge of an edited file.
        removed: no longer generated, and not edited.
        kept: no longer generated, but edited.
        left: what is to be decided, with its place: conflicts, and what no longer fits.
    """

    folder: Path
    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    merged: dict[str, MergeResult] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = {
            "written": self.written,
            "unchanged": self.unchanged,
            "merged with your edits (the files as they were: *.orig)": list(self.merged),
            "removed, no longer part of it": self.removed,
            "kept, edited by hand, but no longer generated": self.kept,
        }
        shown = [f"{self.folder}: {what}: {', '.join(names)}" for what, names in said.items() if names]
        for name, result in self.merged.items():
            shown.append(f"{self.folder / name}:")
            noted = [change for change in result.yours if change.remark]
            parts = {"taken over": result.merged, "yours stays": result.yours}
            plain = {what: [c for c in changes if c not in noted] for what, changes in parts.items()} | {"note": noted}
            shown += [f"  {what}: {line}" for what, changes in plain.items() for line in lines(changes)]
        return "\n".join(shown)


def merge_files(folder: Path, files: Mapping[str, str], base: str | None = None) -> MergedFiles:
    """Merge the edited files of a folder with what is generated now, and write them: all or, if one cannot be, none.

    Args:
        folder: the files of a model.
        files: file name → text as generated now.
        base: folder of the files as generated before, where that is not known otherwise.

    Raises:
        InputError: the text that an edited file started from is not known, a file is not valid, or cannot be written.
    """
    done = MergedFiles(folder)
    texts = {name: text for name, text in files.items() if not _is_there(folder / name, name, text, done)}
    for name in list(texts):
        path = folder / name
        if path.is_file() and not is_untouched(_read(path)):
            done.merged[name] = _merged(path, texts[name], base)
            texts[name] = done.merged[name].text
    _sort(done, texts)
    paths = [folder / name for name in files]
    before = findings(paths, generated_pairs) if done.merged else {}
    left_over = [name for name in OPTIONAL if name not in files and (folder / name).is_file()]
    try:
        _write(done, texts, files)
        for name in left_over:
            _remove(folder / name, done)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot write: {error.strerror}") from None
    after = findings(paths, generated_pairs) if done.merged else {}
    done.left = [*marks_in(paths), *misfits(before, after)]
    return done


def marks_in(paths: Iterable[Path]) -> list[str]:
    """The marks of conflicts in files, a line each with its place."""
    documents = [Document.read(path) for path in paths if path.is_file()]
    return [f"{document.where(at)}: CONFLICT {text}" for document in documents for at, text in conflict_marks(document)]


def _is_there(path: Path, name: str, text: str, done: MergedFiles) -> bool:
    there = path.is_file() and _read(path) == text
    if there:
        done.unchanged.append(name)
    return there


def _merged(path: Path, text: str, base: str | None) -> MergeResult:
    """The merge of an edited file; a text in the folder `base` comes first."""
    ours, theirs = Document.read(path), Document(text, f"{path} (generated)")
    if base is not None and (Path(base) / path.name).is_file():
        return merge_documents(Document.read(Path(base) / path.name), ours, theirs)
    return merge_documents(base_of(ours, theirs), ours, theirs)


def _sort(done: MergedFiles, texts: dict[str, str]) -> None:
    """Leave out of `texts` the merged files that stay as they are; the others that were not edited are written."""
    for name in list(texts):
        if name not in done.merged:
            done.written.append(name)
        elif (done.folder / name).read_bytes() == texts[name].encode():
            done.unchanged.append(name)
            del texts[name], done.merged[name]


def _write(done: MergedFiles, texts: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Write all files under temporary names, then rename them; what they were generated from is kept last."""
    before = {path: path.read_bytes() for name in texts if (path := done.folder / name).is_file()}
    try:
        with contextlib.ExitStack() as finished:
            for name, text in texts.items():
                path = done.folder / name
                if name in done.merged:
                    finished.enter_context(replacing(backup_of(path))).write_bytes(before[path])
                finished.enter_context(replacing(path)).write_bytes(text.encode())
    except BaseException:  # one could not be renamed: those that were get their content back
        for path, content in before.items():
            if path.read_bytes() != content:
                write_bytes(path, content)
        raise
    for name, text in files.items():
        keep(done.folder / name, text)


def _remove(path: Path, done: MergedFiles) -> None:
    if is_untouched(_read(path)):
        path.unlink()
        forget_kept(path)
        done.removed.append(path.name)
    else:
        done.kept.append(path.name)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
