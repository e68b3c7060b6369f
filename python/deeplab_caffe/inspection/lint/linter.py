"""Lints files: applies every rule to every net in each of its states; findings are in the order of the text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import write_text
from ...formats.definition import is_solver
from ...formats.edits import Edits
from ...formats.prototxt import Document, PrototxtError
from . import (
    rules_activation,
    rules_data,
    rules_labels,
    rules_params,
    rules_shapes,
    rules_solver,
    rules_text,
    rules_together,
    rules_wiring,
)
from .files import DiskFiles, Files
from .findings import ERROR, RULES, Finding, Hit, Rule, finding, rule
from .net_file import NetFile, View
from .net_pair import Generator, NetPair
from .silence import Silences
from .solver_file import SolverFile

__all__ = ["Linter", "fix_file"]
#: modules that register their rules on import
_TABLES = (
    rules_text, rules_wiring, rules_activation, rules_params, rules_shapes, rules_labels, rules_data, rules_solver,
    rules_together,
)  # fmt: skip
#: a rule is silent about a layer if one of these rules, which explain more, has a finding there
_SAID_BETTER = {
    "does-not-fit": {
        "in-place-type", "in-place-shared", "repeated-top", "propagate-down-count", "moved-field", "data-source",
        "mean-values", "multiplier-range", "include-and-exclude",
    },
    "different-nets": {"unshared-shape"},
}  # fmt: skip


@rule("syntax", ERROR, "a file that cannot be parsed", "text")
def _syntax(subject: Any) -> Iterator[Hit]:
    """Nothing else in a file can be checked until it can be parsed. In an editor, all but the broken part is checked.
    """
    for error in subject.document.errors:  # of a file from the disk, `Linter.lint` makes a finding of the one error
        yield Hit(subject.document, error.offset or 0, "", error.reason, "what depends on it is not checked")


class Linter:
    """Applies rules to files. Each net is read once, however many solvers name it.

    Args:
        rules: the rules to apply.
        values: values of template variables, by name.
        shapes: whether to infer shapes, which needs the engine.
        generator: knows which differences between nets are made by the generator, if they were edited since.
        files: where files are read; by default the disk, with `values` and `shapes`.
        wanted: whether the findings in a file are asked for; by default in all.
        pause: called between rules; what it raises ends the work.

    Example:
        >>> import tempfile
        >>> from deeplab_caffe.inspection.lint import chosen
        >>> with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        ...     _ = file.write('layer { name: "relu" type: "ReLU" bottom: "date" top: "relu" }')
        ...     file.flush()
        ...     findings = Linter(chosen(["dangling-bottom"])).lint(file.name)
        >>> [(finding.line, finding.rule) for finding in findings]
        [(1, 'dangling-bottom')]
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        values: Mapping[str, str] | None = None,
        shapes: bool = True,
        generator: Generator | None = None,
        files: Files | None = None,
        wanted: Callable[[str], bool] = lambda path: True,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._rules = rules
        self._shapes = shapes
        self._generator = generator
        self._files = files or DiskFiles(values, shapes)
        self._wanted, self._pause = wanted, pause
        self._compared: set[tuple[str, str]] = set()
        self._linted: set[tuple[str, int]] = set()

    def lint(self, path: str | os.PathLike[str]) -> list[Finding]:
        """The findings in a net's or a solver's file, and in the nets that the solver names.

        Nets that stand beside the training net (test, deploy …) are compared with it. A net that was linted before
        yields no findings again.

        Raises:
            InputError: if the file does not exist or is not text.
        """
        try:
            document = self._files.document(str(path))
        except PrototxtError as error:
            if error.offset is None:
                raise
            return self._unparsed([error])
        if not is_solver(document):
            file = self._files.net(str(path))
            return self._sorted([*self._net(file), *self._beside(file)])
        solver = SolverFile(document, self._files, self._shapes)
        hits = [*self._apply("text", solver), *self._apply("solver", solver)] if self._wanted(str(path)) else []
        for file in solver.files:
            file.look_at([view for view in (solver.train, *solver.tests) if view is not None and view.file is file])
            hits += self._net(file)
        for other in [*solver.tests, *solver.others] if solver.train else []:
            if self._wanted(other.file.document.filename):
                hits += [*self._apply("pair", (solver.train, other)), *self._compare(solver.train, other)]
        return [*self._unparsed(solver.unparsed), *self._sorted(hits)]

    def _unparsed(self, errors: Iterable[PrototxtError]) -> list[Finding]:
        if RULES["syntax"] not in self._rules:
            return []
        advice = "fix it to see further findings"
        return [Finding("syntax", ERROR, e.file, *e.place, "", e.reason, advice) for e in errors]

    def _net(self, file: NetFile) -> list[tuple[Rule, Hit]]:
        key = file.document.filename, file.block.start
        if key in self._linted or not self._wanted(file.document.filename):
            return []
        self._linted.add(key)
        hits = [*self._apply("text", file), *self._apply("net", file)]
        for view in file.views:
            hits += self._apply("view", view)
        trains = [view for view in file.views if view.trains]
        for train in trains[:1]:
            for other in file.views:
                hits += self._apply("pair", (train, other)) if other is not train else []
                hits += self._apply("nets", NetPair(train, other, self._generator)) if other is not train else []
        return hits

    # -- nets of one model

    def _beside(self, file: NetFile) -> list[tuple[Rule, Hit]]:
        """What a net computes differently than the training net beside it; of a training net, what the others do."""
        own = Path(file.document.filename)
        files = rules_together.model_files(own, self._files.exists)
        if not any(r.scope == "nets" for r in self._rules) or len(files) < 2:
            return []
        train = self._view(files[0])
        others = files[1:] if own == files[0] else [own]
        views = [view for other in others if (view := self._view(other)) is not None]
        return [hit for view in views if train is not None for hit in self._compare(train, view)]

    def _view(self, path: Path) -> View | None:
        """The net of a file in the state that it is used in: training with a loss, if it has one by its name."""
        try:
            views = self._files.net(str(path)).views
        except InputError:
            return None
        trains = [view for view in views if view.trains]
        return trains[0] if trains and "train" in path.stem else views[-1]

    def _compare(self, train: View | None, other: View) -> list[tuple[Rule, Hit]]:
        """Apply the rules about two nets of one model, once to each two files."""
        if train is None or not self._wanted(other.file.document.filename):
            return []
        key = (os.path.realpath(train.file.document.filename), os.path.realpath(other.file.document.filename))
        if key in self._compared:
            return []
        self._compared.add(key)
        return self._apply("nets", NetPair(train, other, self._generator))

    def _apply(self, scope: str, subject: Any) -> list[tuple[Rule, Hit]]:
        hits: list[tuple[Rule, Hit]] = []
        for r in self._rules:
            if r.scope == scope:
                self._pause()
                hits += [(r, hit) for hit in r.check(subject)]
        return hits

    def _sorted(self, hits: Iterable[tuple[Rule, Hit]]) -> list[Finding]:
        """The findings that are not silenced, each once, in the order of the files."""
        silences: dict[str, Silences] = {}
        found: dict[Finding, int] = {}
        blamed = {(r.name, hit.document.filename, hit.layer) for r, hit in hits}
        for r, hit in hits:
            name = hit.document.filename
            silence = silences.setdefault(name, Silences(hit.document))
            better = _SAID_BETTER.get(r.name, set())
            said = any((other, name, hit.layer) in blamed for other in better)
            if not said and not silence.covers(r.name, hit.offset):
                found.setdefault(finding(r, hit), hit.offset)
        return sorted(found, key=lambda f: (f.file, f.line, f.column))


def fix_file(path: str | os.PathLike[str], findings: Iterable[Finding], values: Mapping[str, str] | None) -> int:
    """Fix what can be fixed in a file; the rest of the text is unchanged. Returns the number of findings fixed."""
    document = Document.read(path, values)
    edits, count = Edits(document), 0
    for item in findings:
        if item.fix is None or item.file != document.filename:
            continue
        before = edits.copy()
        item.fix(edits)
        if edits.overlap():  # two rules would change one place: the other one is fixed in the next pass
            edits = before
        else:
            count += 1
    if count:
        write_text(path, edits.apply())
    return count
