"""From a parsed prototxt to a protobuf message, with every field checked against the schema."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..spelling import did_you_mean, nearest_fields, nearest_word, suggestion
from ..words import some_of
from . import foreign_fields, foreign_types, schema
from .layers_read import LayersRead
from .placeholders import Placeholders, placeholder
from .prototxt import Document
from .scalar_values import INTEGERS, TYPE_NAMES, converted, expected, integer_of, is_repeated
from .tree import VARIABLE, Block, Field, PrototxtError, Scalar

#: (message, field) of older dialects → advice, and the new name if only the name has changed
_FORMER = {
    ("LayerParameter", "softmaxloss_param"): ("it is now called 'loss_param'", "loss_param"),
    ("LayerParameter", "blobs_lr"): ("use 'param { lr_mult: … }'", None),
    ("LayerParameter", "weight_decay"): ("use 'param { decay_mult: … }'", None),
    ("LayerParameter", "blob_share_mode"): ("use 'param { share_mode: … }'", None),
    ("LayerParameter", "layer"): ("only the 'layers' of 2013 have one", None),
}


_LAYERS = ("LayerParameter", "V1LayerParameter")
#: the types of layers in 2014
_V1_TYPE = schema.V1LayerParameter.DESCRIPTOR.fields_by_name["type"].enum_type
_OLD_TYPES = frozenset(_V1_TYPE.values_by_name)
#: a word that an enum may have
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass
class Problem:
    """One place in a file that does not match the schema.

    Attributes:
        kind: unknown-field, foreign-field (known from another Caffe), unknown-type (of a layer of 2014), unknown-word
            (of an enum), repeated-field, wrong-value, missing-field or template (a variable without a value).
        error: the whole message, with its place.
        start, end: the offsets of the text that `instead` would replace, if that is not None.
        resizes: whether shapes may depend on a field of another Caffe.
        advice: what to do, where it is known; the message ends with it.
        is_idle: whether a net computes the same without it.
    """

    kind: str
    error: PrototxtError
    start: int = 0
    end: int = 0
    instead: str | None = None
    resizes: bool = False
    advice: str = ""
    is_idle: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether another Caffe may know it: tools for text keep it as it is written."""
        return self.kind in ("unknown-field", "foreign-field", "unknown-type", "unknown-word")


def keeping(found: list[Problem]) -> Callable[[Problem], None]:
    """A `report` for `to_message` that lists what another Caffe may know, and raises the error of everything else."""

    def report(problem: Problem) -> None:
        if not problem.is_unknown:
            raise problem.error
        found.append(problem)

    return report


def to_running_message(document: Document, message: Any, *, placeholders: Placeholders | None = None) -> Any:
    """As `to_message`, for a net or solver that is to run: what changes no result is ignored with a warning.

    Each field or word is named once, with its first place.
    """
    idle: dict[str, list[str]] = {}

    def report(problem: Problem) -> None:
        if not problem.is_idle:
            raise problem.error
        idle.setdefault(problem.error.reason, []).append(document.where(problem.error.offset or 0))

    to_message(document, message, report=report, placeholders=placeholders, runs=True)
    for reason, places in idle.items():
        warnings.warn(f"{some_of(places, 1)}: {reason}; it is ignored", stacklevel=2)
    return message


def to_message(
    document: Document,
    message: Any,
    *,
    block: Block | None = None,
    report: Callable[[Problem], None] | None = None,
    placeholders: Placeholders | None = None,
    layers: LayersRead | None = None,
    runs: bool = False,
) -> Any:
    """Fill a protobuf message from a document, or from one block of it, and return it.

    Args:
        document: the parsed file.
        message: an empty message of the schema, such as `schema.NetParameter()`.
        block: the block to read instead of the whole file.
        report: called with each Problem instead of raising; the field is then skipped.
        placeholders: accept template variables without values: numbers take their place, and variables in place of
            whole fields are skipped.
        layers: layers of an earlier version of the document.
        runs: raise the error about the type of a layer whose fields are unknown with it, whatever is reported.

    Raises:
        PrototxtError: an unknown field, a value of the wrong kind or out of range, a missing field, or two values of
            a field that is not repeated.

    Example:
        >>> from deeplab_caffe.formats.schema import SolverParameter
        >>> to_message(Document("base_lr: 1e-3  max_iter: 20000"), SolverParameter()).max_iter
        20000
    """
    _Filler(document, report, placeholders, layers, runs or report is None).fill(block or document.root, message)
    missing = message.FindInitializationErrors()
    if missing:
        offset = block.start if block else 0
        problem = Problem("missing-field", document.error(offset, f"missing required fields: {', '.join(missing)}"))
        if report is None:
            raise problem.error
        report(problem)
    return message


class _Filler:
    def __init__(
        self,
        document: Document,
        report: Callable[[Problem], None] | None,
        placeholders: Placeholders | None,
        layers: LayersRead | None = None,
        refuses_types: bool = False,
    ) -> None:
        self.document = document
        self.report = report
        self.placeholders = placeholders
        self.layers = layers
        self.refuses_types = refuses_types
        #: how many problems there were
        self.problems = 0
        #: the innermost layer around what is read
        self.layer: Field | None = None

    def fill(self, block: Block, message: Any) -> None:
        known = message.DESCRIPTOR.fields_by_name
        seen: set[str] = set()
        for item in block.fields:
            descriptor = known.get(item.name)
            if descriptor is None:
                told = item.name in seen and foreign_fields.field_of(message.DESCRIPTOR.name, item.name)
                if not told:
                    self._unknown(item, block, message.DESCRIPTOR)
                seen.add(item.name)
                continue
            repeated = is_repeated(descriptor)
            if not repeated and item.name in seen:
                if foreign_fields.repeats(message.DESCRIPTOR.name, item.name):
                    self._unknown(item, block, message.DESCRIPTOR)
                    continue
                self._fail("repeated-field", item.start, f"'{item.name}' is given twice; only one is allowed")
                continue
            seen.add(item.name)
            if descriptor.message_type is not None:
                self._message(item, message, repeated)
            elif isinstance(item.value, Block):
                complaint = f"'{item.name}': expected {expected(descriptor)}, got a block {{ … }}"
                self._fail("wrong-value", item.start, complaint)
            else:
                self._scalar(item.value, message, descriptor, repeated)

    def _message(self, item: Field, message: Any, repeated: bool) -> None:
        if isinstance(item.value, Scalar):
            self._fail("wrong-value", item.start, f"'{item.name}': expected a block {{ … }}, got {item.value.text!r}")
            return
        inner = getattr(message, item.name)
        if repeated:
            inner = inner.add()
        else:
            inner.SetInParent()
        is_layer = inner.DESCRIPTOR.name in _LAYERS
        around = self.layer
        self.layer = item if is_layer else around
        if is_layer and self.layers is not None:
            self._layer(item.value, inner, self.layers)
        else:
            self.fill(item.value, inner)
        self.layer = around

    def _layer(self, block: Block, message: Any, layers: LayersRead) -> None:
        """Fill the message of a layer, by what is known of its text if there is something."""
        if any(block.start <= (error.offset or 0) <= block.end for error in self.document.errors):
            self.fill(block, message)  # how broken text is read may depend on what is around it
            return
        text = self.document.text[block.start : block.end]
        if not layers.copy_to(message, text):
            before = self.problems
            self.fill(block, message)
            if self.problems == before:
                layers.keep(message, text)

    def _scalar(self, scalar: Scalar, message: Any, descriptor: Any, repeated: bool) -> None:
        value = converted(descriptor, scalar)
        if value is None and "${" in scalar.text and self.placeholders is not None:
            value = placeholder(descriptor, scalar.text, self.placeholders, self.document)
        if value is None:
            self._misfit(descriptor, scalar)
        elif repeated:
            getattr(message, descriptor.name).append(value)
        else:
            setattr(message, descriptor.name, value)

    # -- what does not match the schema

    def _unknown(self, item: Field, block: Block, owner: Any) -> None:
        if "${" in item.name or item.is_template:
            if self.placeholders is None:
                text = self.document.text[item.start : item.name_end]
                self._fail("template", item.start, f"the template variable {text} has no value; set it")
            return
        if self._is_foreign(item):
            return
        start = item.listed.start if item.listed else item.start
        foreign = foreign_fields.field_of(owner.name, item.name)
        if foreign:
            error = self.document.error(start, foreign_fields.about(owner.name, item.name))
            idle = foreign_fields.is_idle(owner.name, item.name)
            self._raise(
                Problem("foreign-field", error, resizes=foreign.resizes, advice=foreign.advice, is_idle=idle)
            )
            return
        former = _FORMER.get((owner.name, item.name))
        if owner.name == _LAYERS[1] and item.name in schema.LayerParameter.DESCRIPTOR.fields_by_name:
            former = "only today's 'layer' has it: run `deeplab prototxt upgrade`", None
        near = nearest_fields(item.name, [f.name for f in owner.fields])
        near = [name for name in near if _is_alike(item, owner.fields_by_name[name])]
        hint = f"; {former[0]}" if former else suggestion(near) if near else ""
        instead = former[1] if former else near[0] if len(near) == 1 else None
        if instead is not None and not _fits(item, block, owner.fields_by_name[instead]):
            instead = None
        self._fail(
            "unknown-field", start, f"{owner.name} has no field '{item.name}'{hint}", start, item.name_end, instead
        )

    def _is_foreign(self, item: Field) -> bool:
        """Whether an unknown field belongs to a layer of another Caffe; then the type is what is unknown.

        Raises PrototxtError about the type if types are refused: whoever lists problems looks at the types too.
        """
        kind = self.layer.within("type").value if self.layer is not None else None
        if not isinstance(kind, Scalar) or foreign_types.is_known(kind.text) or kind.text in _OLD_TYPES | {""}:
            return False
        if self.refuses_types:
            about = foreign_types.about(kind.text)
            raise self.document.error(kind.start, f"unknown type '{kind.text}'{about}, with the field '{item.name}'")
        return True

    def _misfit(self, descriptor: Any, scalar: Scalar) -> None:
        text, instead, hint = scalar.text, None, ""
        shown = text.encode("utf-8", "backslashreplace").decode()  # bytes that are not text can still be shown
        shown = f'"{shown}"' if scalar.quoted and descriptor.enum_type is None else shown
        if descriptor.enum_type == _V1_TYPE and not scalar.quoted and _WORD.fullmatch(text):
            reason = f"unknown type '{text}'{foreign_types.about_old(text, _OLD_TYPES)}"
            self._fail("unknown-type", scalar.start, reason, scalar.start, scalar.end, nearest_word(text, _OLD_TYPES))
            return
        kind, foreign = "wrong-value", foreign_fields.about_word(text)
        if descriptor.enum_type is not None and not scalar.quoted and foreign:
            error = self.document.error(scalar.start, f"'{descriptor.name}': {foreign}")
            idle = foreign_fields.is_idle_word(descriptor.name, text)
            self._raise(Problem("foreign-field", error, advice=foreign_fields.WORDS[text][1], is_idle=idle))
            return
        if descriptor.enum_type is not None:
            names = list(descriptor.enum_type.values_by_name)
            hint, instead = did_you_mean(text, names), nearest_word(text, names)
            if not scalar.quoted and _WORD.fullmatch(text):
                kind = "unknown-word"
        if unset := VARIABLE.search(text):
            hint = f": a template variable without a value; set {unset[1]}=…"
        complaint = f"'{descriptor.name}': expected {expected(descriptor)}, got {shown}{hint}"
        limits = INTEGERS.get(TYPE_NAMES.get(descriptor.type, ""))
        number = None if scalar.quoted or limits is None else integer_of(text)
        if limits and number is not None and not limits[0] <= number <= limits[1]:
            limited = TYPE_NAMES[descriptor.type]
            complaint = f"'{descriptor.name}' is {text}, out of range for {limited}: {limits[0]} … {limits[1]}"
        self._fail("template" if unset else kind, scalar.start, complaint, scalar.start, scalar.end, instead)

    def _fail(
        self, kind: str, offset: int, message: str, start: int = 0, end: int = 0, instead: str | None = None
    ) -> None:
        self._raise(Problem(kind, self.document.error(offset, message), start, end, instead))

    def _raise(self, problem: Problem) -> None:
        """Raise the error of a problem, or report it."""
        self.problems += 1
        if self.report is None:
            raise problem.error
        self.report(problem)


def _is_alike(item: Field, descriptor: Any) -> bool:
    """Whether a field's value could be that of another field: a scalar, or a block with the fields that it has."""
    message = descriptor.message_type
    if isinstance(item.value, Scalar) or message is None:
        return isinstance(item.value, Scalar) and message is None
    known = message.fields_by_name
    return all(f.is_template or (f.name in known and _is_alike(f, known[f.name])) for f in item.value.fields)


def _fits(item: Field, block: Block, descriptor: Any) -> bool:
    """Whether a field of a block may be renamed: what it says is valid there, and the block has no such field yet.

    A second name or message may be added to a list, but not a second number: kernel_size, pad and their like then
    mean one number for each axis.
    """
    is_list = is_repeated(descriptor) and TYPE_NAMES.get(descriptor.type) in ("string", None)
    is_free = is_list or not block.all(descriptor.name)
    if isinstance(item.value, Scalar) and is_free:
        return "${" in item.value.text or converted(descriptor, item.value) is not None
    return is_free and isinstance(item.value, Block) and bool(item.value.fields) and _is_alike(item, descriptor)
