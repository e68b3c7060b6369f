"""Rules about the text: what does not match the schema, old dialects, replaced fields, template variables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ...formats import foreign_types
from ...formats.edits import Edits
from ...formats.layer_facts import LAYER_FACTS
from ...formats.messages import Problem
from ...formats.prototxt import Block, Document, Field, walk
from ...formats.solver_types import SOLVER_TYPES
from ...formats.upgrade_text import DEPRECATED
from ...spelling import nearest_words
from ..merge.marks import conflict_marks
from .findings import ERROR, NOTE, WARNING, Fix, Hit, rule
from .layer import scalar_of
from .net_file import NetFile
from .offers import naming
from .solver_file import SolverFile

Subject = NetFile | SolverFile
#: rule → what it finds, what to do
_PROBLEMS = {
    "unknown-field": ("a field that does not exist, perhaps misspelled", "correct its name, or remove it"),
    "foreign-field": ("a field or a word that another Caffe added, which is not known here", ""),
    "wrong-value": (
        "a value of the wrong type, out of range, or not in its enum",
        "use a valid value",
    ),
    "repeated-field": ("a second value of a field that may be set only once", "remove one of them"),
    "missing-field": ("a required field that is missing", "add what is missing"),
}


#: kind of problem → the rule that reports it, where the names differ
_RULES_OF = {"unknown-word": "wrong-value"}


def _problems(subject: Subject, kind: str) -> Iterator[Hit]:
    for problem in subject.problems:
        if kind == _RULES_OF.get(problem.kind, problem.kind):
            offset = problem.error.offset or 0
            layer = layer_at(subject.document, offset)
            message = problem.error.reason.removesuffix(f": {problem.advice}")
            advice = problem.advice or _PROBLEMS[kind][1]
            yield Hit(subject.document, offset, layer, message, advice, _replacing(problem))


def _replacing(problem: Problem) -> Fix | None:
    instead = problem.instead
    if instead is None:
        return None
    return lambda edits: edits.replace(problem.start, problem.end, instead)


def layer_at(document: Document, offset: int) -> str:
    """`fc6 (Convolution)` for the layer at an offset, or ""."""
    for item in document.root.fields:
        if item.name in ("layer", "layers") and item.start <= offset <= item.end and isinstance(item.value, Block):
            inner = item.value.last("layer")  # of 2013
            block = inner.value if inner is not None and isinstance(inner.value, Block) else item.value
            return f"{block.text_of('name') or '?'} ({block.text_of('type') or '?'})"
    return ""


_REASONS = {
    "unknown-field": (
        "The engine refuses a field that the message does not have; Caffe's own parser stops there, too."
    ),
    "foreign-field": (
        "The file is good for the Caffe that it was written for, but here a net with this field is not built: without "
        "it the net might do something else. Tools for text keep it as it is written. "
        "docs/foreign-fields.md lists what is known."
    ),
    "wrong-value": "A value of another kind, or a word that the enum does not have, cannot be read.",
    "repeated-field": "Protobuf's text format refuses a second value of a field that is not repeated.",
    "missing-field": "The layer has no default for a required field, so the net cannot be set up.",
}
for _kind, (_summary, _) in _PROBLEMS.items():
    rule(_kind, ERROR, _summary, "text", reason=_REASONS[_kind])(partial(_problems, kind=_kind))


@rule("template-variable", NOTE, "a template variable without a value: what depends on it is not checked", "text")
def template_variable(subject: Subject) -> Iterator[Hit]:
    """Without a value the net cannot run, and what depends on the variable is not checked."""
    offsets = [problem.error.offset or 0 for problem in subject.problems if problem.kind == "template"]
    if isinstance(subject, SolverFile):
        offsets += [field.value.start for field in subject.unnamed]
    seen: set[str] = set()
    for offset in offsets:
        variable = next((v for v in subject.document.variables if v.offset >= offset), None)
        if variable is not None and variable.name not in seen:
            seen.add(variable.name)
            message = f"the template variable ${{{variable.name}}} has no value; what depends on it is not checked"
            advice = f"pass --set {variable.name}=…, or set it in the environment"
            yield Hit(subject.document, offset, layer_at(subject.document, offset), message, advice)


@rule("conflict-mark", WARNING, "a mark that a merge left where both sides changed one value", "text")
def conflict_mark(subject: Subject) -> Iterator[Hit]:
    """`deeplab prototxt NAME --merge` keeps the value of the edited file where the generator changed the same one, and
    names both in a comment. As long as it stands, nobody has decided which of them is right.
    """
    for offset, text in conflict_marks(subject.document):
        layer = layer_at(subject.document, offset)
        yield Hit(subject.document, offset, layer, f"conflict: {text}", "choose a value, then remove this comment")


@rule(
    "old-dialect",
    WARNING,
    "a net in an old dialect (V0, V1, DeepLab's first release), or inputs outside of layers",
    "net",
)
def old_dialect(file: NetFile) -> Iterator[Hit]:
    """Old dialects are read, but documentation, editors and most tools know today's form only."""
    advice = f"run deeplab prototxt upgrade --in-place {file.document.filename}"
    if file.is_old and file.elements:
        yield file.hit(file.elements[0].start, f"the net is written in an old dialect, {file.dialect}", advice)
    elif file.has_inputs:
        stated = file.block.all("input")
        yield file.hit(stated[0].start, "the net's inputs are stated outside of layers, the form until 2015", advice)


@rule("no-counterpart", ERROR, "a layer or field of an old dialect that has no counterpart today", "net")
def no_counterpart(file: NetFile) -> Iterator[Hit]:
    """The layer or field has no equivalent today, so the net cannot be upgraded or run."""
    if file.refused is not None:
        text = str(file.refused)
        offset, reason = _offset_of(file.document, text)
        yield file.hit(offset, reason, "see `deeplab prototxt upgrade`")


def _offset_of(document: Document, text: str) -> tuple[int, str]:
    """The offset of a message's `file:line:column`, and the rest of the message."""
    rest = text.removeprefix(f"{document.filename}:").lstrip()
    parts = rest.split(":", 2)
    if len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit():
        return document.offset(int(parts[0]), int(parts[1])), parts[2].strip()
    return 0, rest


@rule(
    "first-release-field",
    ERROR,
    "a field of DeepLab's first release (hole, has_label …) in a net of today's form",
    "net",
)
def first_release_field(file: NetFile) -> Iterator[Hit]:
    """In `layer { … }` these fields are not known to any Caffe; a `hole` that is ignored would change the net."""
    for element, stated, today in file.own_fields:
        layer = layer_at(file.document, element.start)
        message = f"'{stated.name}' belongs to the 'layers' of DeepLab's first release"
        if today is None:
            yield Hit(file.document, stated.start, layer, message, "remove it", partial(_remove, stated))
        else:
            free = stated.name == "hole" and not _states(element, stated, today)
            fix = partial(_rename, stated, today) if free else None
            yield Hit(file.document, stated.start, layer, message, f"write '{today}'", fix)


def _states(element: Field, stated: Field, name: str) -> bool:
    """Whether the block of a layer that has a field has one of another name too."""
    blocks = [block.value for block in walk([element]) if isinstance(block.value, Block)]
    return any(stated in block.fields and block.all(name) for block in blocks)


def _remove(stated: Field, edits: Edits) -> None:
    edits.remove(stated)


def _rename(stated: Field, name: str, edits: Edits) -> None:
    edits.rename(stated, name)


_SOLVER_TYPES = {row.old_word: name for name, row in SOLVER_TYPES.items()}


@rule("deprecated-field", WARNING, "a field that another one has replaced", "text")
def deprecated_field(subject: Subject) -> Iterator[Hit]:
    """Caffe still reads the old field, but it may be dropped; two fields of one meaning may contradict each other."""
    if isinstance(subject, NetFile) and subject.is_old:
        return
    for block in walk(subject.block.fields):
        if isinstance(block.value, Block):
            for stated in block.value.fields:
                today, scalar = DEPRECATED.get((block.name, stated.name)), scalar_of(stated)
                if today is not None and scalar is not None:
                    fix = None if block.value.all(today) else partial(_rename, stated, today)
                    yield _deprecated(subject, stated, f"{today}: {scalar.text}", fix)
    for stated in subject.block.all("solver_type"):
        scalar = scalar_of(stated)
        kind = _SOLVER_TYPES.get(scalar.text) if scalar else None
        if kind:
            fix = None if subject.block.all("type") else partial(_set_type, stated, kind)
            yield _deprecated(subject, stated, f'type: "{kind}"', fix)


def _deprecated(subject: Subject, stated: Field, today: str, fix: Fix | None) -> Hit:
    layer = layer_at(subject.document, stated.start)
    return Hit(subject.document, stated.start, layer, f"'{stated.name}' is deprecated", f"write '{today}'", fix)


def _set_type(stated: Field, kind: str, edits: Edits) -> None:
    edits.rename(stated, "type")
    edits.set_value(stated, f'"{kind}"')


@rule("unknown-type", ERROR, "a layer type that does not exist", "net")
def unknown_type(file: NetFile) -> Iterator[Hit]:
    """A type is found by its name, whose case counts. Some types of other Caffes (FlowNet's Correlation …) have
    no counterpart here; their own fields are not reported, and nothing in such a layer is fixed.
    """
    old = [problem for problem in file.problems if problem.kind == "unknown-type"]
    for problem in old:
        offset = problem.error.offset or 0
        word = file.document.text[problem.start : problem.end]
        advice = _what_to_do(foreign_types.today_of(word), file)
        yield Hit(file.document, offset, layer_at(file.document, offset), problem.error.reason, advice)
    for layer in file.layers:
        # another rule says why: its type could not be read, or part of its text
        is_unread = not layer.type and (layer.find("type") is not None or file.is_broken(layer))
        is_said = layer.block is not None and any(_lies_in(problem, layer.block) for problem in old)
        if not foreign_types.is_known(layer.type) and not is_unread and not is_said:
            message = f"unknown type '{layer.type}'{foreign_types.about(layer.type)}"
            offers = naming(layer.find("type"), nearest_words(layer.type, LAYER_FACTS, 3))
            yield layer.hit(message, _what_to_do(layer.type, file), "type", offers=offers)


def _what_to_do(layer_type: str, file: NetFile) -> str:
    """What to do about a layer whose type, by its name today, is not read."""
    if foreign_types.is_known(layer_type):
        return f"run deeplab prototxt upgrade --in-place {file.document.filename}"
    if layer_type in foreign_types.FOREIGN_TYPES:
        return "run the net with that Caffe, or write the layer in Python"
    return "use an existing type"


def _lies_in(problem: Problem, block: Block) -> bool:
    return block.start <= (problem.error.offset or 0) <= block.end
