"""A solver's file as lint sees it, and the nets that it trains and tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...formats import schema
from ...formats.messages import Problem, to_message
from ...formats.prototxt import Block, Document, Field, PrototxtError
from .files import Files
from .findings import Fix, Hit, Offer
from .net_file import NetFile, View

NETS = ("net", "net_param", "train_net", "train_net_param")


class SolverFile:
    """A solver: its message, problems of its text, and its nets, None if a net cannot be read.

    train: the training net in its state; tests: the test nets in theirs; others: test.prototxt and deploy.prototxt
    beside the training net, in the state that they are used in. Of nets that could not be read: unread: (field,
    reason); unparsed: the parser's errors; unnamed: the fields whose template variable has no value. Nets are read from
    `files`.
    """

    def __init__(self, document: Document, files: Files, with_shapes: bool = True) -> None:
        self.document, self.block = document, document.root
        self._with_shapes = with_shapes
        self.problems: list[Problem] = []
        self.param: Any = to_message(document, schema.SolverParameter(), report=self.problems.append)
        self.unread: list[tuple[Field, str]] = []
        self.unnamed: list[Field] = []
        self.unparsed: list[PrototxtError] = []
        self._source = files
        self._files: dict[str, NetFile | None] = {}
        given = [name for name in NETS if self.param.HasField(name)]
        self.given = given
        self.train = self._train(given[0]) if len(given) == 1 else None
        self.tests = self._tests()
        self.others = self._others()

    def hit(
        self, field: str, message: str, advice: str, fix: Fix | None = None, offers: Sequence[Offer] = ()
    ) -> Hit:
        """A hit at a field; at the beginning of the file if it is missing."""
        stated = self.block.last(field)
        return Hit(self.document, stated.start if stated else 0, "", message, advice, fix, tuple(offers))

    @property
    def files(self) -> list[NetFile]:
        """Its nets that could be read, each once."""
        return [file for file in self._files.values() if file is not None]

    # -- its nets

    def _train(self, name: str) -> View | None:
        file = self._net(self.block.last(name))
        state = self.param.train_state
        return None if file is None else View(file, schema.TRAIN, tuple(state.stage), state.level)

    def _tests(self) -> list[View]:
        fields = [f for name in ("test_net_param", "test_net") for f in self.block.all(name)]
        shared = [f for name in ("net_param", "net") if (f := self.block.last(name))]
        fields += shared * max(0, len(self.param.test_iter) - len(fields))
        views = []
        for i, field in enumerate(fields):
            state = self.param.test_state[i] if i < len(self.param.test_state) else schema.NetState()
            file = self._net(field)
            if file is not None:
                views.append(View(file, schema.TEST, tuple(state.stage), state.level))
        return views

    def _others(self) -> list[View]:
        """test.prototxt and deploy.prototxt beside the training net, if the solver names no test net."""
        if self.train is None or self.tests or self.train.file.document is self.document:
            return []
        folder = Path(self.train.file.document.filename).parent
        views = []
        for name in ("test.prototxt", "deploy.prototxt"):
            try:
                views += self._source.net(str(folder / name)).views[-1:]
            except InputError:
                continue
        return views

    def _net(self, field: Field | None) -> NetFile | None:
        """The net that a field names or contains; each file is read once."""
        if field is None:
            return None
        if isinstance(field.value, Block):
            key = f"{field.start}"
            if key not in self._files:
                self._files[key] = NetFile(self.document, field.value, self._with_shapes)
            return self._files[key]
        if "${" in field.value.text:
            self.unnamed.append(field)
            return None
        if "\0" in field.value.text:
            self.unread.append((field, "the name of the net contains a zero byte"))
            return None
        path = self._source.net_path(self.document.filename, field.value.text)
        if path not in self._files:
            try:
                self._files[path] = self._source.net(path)
            except InputError as error:
                self._files[path] = None
                if isinstance(error, PrototxtError) and error.offset is not None:
                    self.unparsed.append(error)
                else:
                    self.unread.append((field, str(error)))
        return self._files[path]
