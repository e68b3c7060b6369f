"""Quick fixes: what `--fix` would do, what a rule offers, and what else lint's advice makes obvious."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from ...errors import InputError
from ...formats.edits import Edits
from ...formats.prototxt import Document
from ...formats.upgrade_report import Upgrade
from ...formats.upgrade_text import upgrade_document
from ...inspection.lint import Finding
from ...inspection.lint.findings import Fix, Offer
from ...inspection.lint.layer import LintLayer
from ...inspection.lint.offers import setting
from ..buffers import Buffer
from ..diagnose import diagnostics, extent, findings_in
from ..places import place_at
from ..text_edits import edits_of, edits_to, in_one_file
from ..workspace import Workspace

if TYPE_CHECKING:
    from ..server import PrototxtServer

_QUICK, _REWRITE, _ALL = (
    types.CodeActionKind.QuickFix,
    types.CodeActionKind.RefactorRewrite,
    types.CodeActionKind.SourceFixAll,
)
#: rules after whose findings the file can be upgraded to today's form
_OLD = {"old-dialect", "deprecated-field", "first-release-field", "unknown-type", "foreign-field"}


def register(server: PrototxtServer) -> None:
    """Answer requests for code actions."""
    options = types.CodeActionOptions(code_action_kinds=[_QUICK, _REWRITE, _ALL])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    @server.thread()
    def code_actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        workspace = server.workspace_of_nets
        buffer = workspace.buffer(params.text_document.uri)
        only = params.context.only or [""]
        found = actions(workspace, buffer, params.range) if buffer else []
        return [action for action in found if any(_is_kind(action.kind or "", wanted) for wanted in only)]


def _is_kind(kind: str, wanted: str) -> bool:
    """Whether a kind is one that an editor asks for, or below it."""
    return not wanted or kind == wanted or kind.startswith(f"{wanted}.")


def actions(workspace: Workspace, buffer: Buffer, where: types.Range) -> list[types.CodeAction]:
    """The code actions for a range of a buffer, the most likely first."""
    findings = workspace.findings_of(buffer)
    if findings is None:
        findings = findings_in(workspace, [buffer])[buffer.path]
    start = buffer.offset(where.start)
    here = _at(buffer, where, findings)
    found = [action for finding in here for action in _for_finding(workspace, buffer, finding)]
    found += _for_all(buffer, here, findings)
    found += _pad(buffer, start, [action.title for action in found])
    found += _upgrade(buffer, here, findings)
    found += [action for finding in here for action in _ignore(workspace, buffer, finding)]
    return found


def _at(buffer: Buffer, where: types.Range, findings: Sequence[Finding]) -> list[Finding]:
    """The findings in a range, then those on its lines, then those in the layer in which it begins."""
    lines = types.Range(types.Position(where.start.line, 0), types.Position(where.end.line, 1 << 30))
    spans = [(buffer.offset(part.start), buffer.offset(part.end)) for part in (where, lines)]
    layer = place_at(buffer, spans[0][0]).layer
    if layer is not None and where.start.line == where.end.line:
        spans.append((layer.start, layer.end))
    places = [(extent(buffer.document, finding.offset), finding) for finding in findings]
    found = [f for start, end in spans for place, f in places if place[0] <= end and start <= place[1]]
    return list(dict.fromkeys(found))


# -- one finding


def _for_finding(workspace: Workspace, buffer: Buffer, finding: Finding) -> Iterator[types.CodeAction]:
    offers = [Offer(_capital(finding.advice), finding.fix)] if finding.fix is not None else []
    said = diagnostics(buffer, [finding], workspace.settings)
    for offer in (*offers, *finding.offers):
        edits = _edits(buffer, [offer.fix])
        if edits:
            preferred = offer.fix is finding.fix or len(finding.offers) == 1
            yield types.CodeAction(
                offer.title, _QUICK, said, is_preferred=preferred or None, edit=in_one_file(buffer, edits)
            )


def _edits(buffer: Buffer, fixes: Iterable[Fix]) -> list[types.TextEdit]:
    """The edits of several fixes; one that would change what another has changed is left out."""
    edits = Edits(buffer.document)
    for fix in fixes:
        before = edits.copy()
        fix(edits)
        if edits.overlap():
            edits = before
    return edits_of(buffer, edits)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ignore(workspace: Workspace, buffer: Buffer, finding: Finding) -> Iterator[types.CodeAction]:
    """Silence a finding by a comment, behind its line or, if that has one, above it."""
    if finding.rule == "syntax":
        return
    comment = f"# lint: ignore={finding.rule}"
    line = buffer.position(finding.offset).line
    first, last = buffer.offset(types.Position(line, 0)), buffer.offset(types.Position(line, 1 << 30))
    text = buffer.text[first:last]
    newline = "\r\n" if "\r\n" in buffer.text else "\n"
    if any(first <= at < last for at, _ in buffer.document.comments):
        indent = text[: len(text) - len(text.lstrip())]
        edit = types.TextEdit(buffer.range(first, first), f"{indent}{comment}{newline}")
    else:
        edit = types.TextEdit(buffer.range(last, last), f"  {comment}")
    said = diagnostics(buffer, [finding], workspace.settings)
    yield types.CodeAction(f"Ignore {finding.rule} here", _QUICK, said, edit=in_one_file(buffer, [edit]))


# -- many findings


def _for_all(buffer: Buffer, here: Sequence[Finding], findings: Sequence[Finding]) -> Iterator[types.CodeAction]:
    for rule in dict.fromkeys(f.rule for f in here if f.fix is not None):
        fixes = [f.fix for f in findings if f.rule == rule and f.fix is not None]
        if len(fixes) > 1 and (edits := _edits(buffer, fixes)):
            title = f"Fix all {len(fixes)} of {rule} in this file"
            yield types.CodeAction(title, _QUICK, edit=in_one_file(buffer, edits))
    fixes = [f.fix for f in findings if f.fix is not None]
    if fixes and (edits := _edits(buffer, fixes)):
        yield types.CodeAction("Fix all that is safe to fix in this file", _ALL, edit=in_one_file(buffer, edits))


# -- what needs no finding


def _pad(buffer: Buffer, offset: int, titles: Sequence[str]) -> Iterator[types.CodeAction]:
    """Pad the convolution at the cursor so that its output has the size of its input."""
    element = place_at(buffer, offset).layer
    layer = next((x for x in buffer.net.layers if x.element is element), None) if element is not None else None
    wanted = _keeping_pad(layer) if layer is not None else None
    for offer in setting(layer, f"{wanted}", "convolution_param", "pad") if layer is not None and wanted else []:
        edits = _edits(buffer, [offer.fix])
        if edits and offer.title not in titles:
            title = f"Set pad: {wanted}, which keeps the size"
            yield types.CodeAction(title, _REWRITE, edit=in_one_file(buffer, edits))


def _keeping_pad(layer: LintLayer) -> int | None:
    """The pad with which a convolution keeps the size; None if it does already, or if no single number would do it."""
    p = layer.param.convolution_param
    sides = set(p.kernel_size), set(p.dilation) or {1}, set(p.pad) or {0}
    if layer.type != "Convolution" or layer.is_old or layer.incomplete or p.kernel_h or p.pad_h or p.pad_w:
        return None
    if any(len(values) != 1 for values in sides) or max(p.stride, default=1) > 1 or p.stride_h or p.stride_w:
        return None
    kernel, dilation, pad = (values.pop() for values in sides)
    span = dilation * (kernel - 1)
    return span // 2 if span % 2 == 0 and pad != span // 2 else None


def _upgrade(buffer: Buffer, here: Sequence[Finding], findings: Sequence[Finding]) -> Iterator[types.CodeAction]:
    if not any(f.rule in _OLD for f in findings):
        return
    upgrade = buffer.once("upgrade", lambda: _upgraded(buffer))
    if upgrade is None or upgrade.matrices or not (edits := edits_to(buffer, upgrade.text)):
        return  # class weights become files, which an edit cannot write
    kind = _QUICK if any(f.rule in _OLD for f in here) else _REWRITE
    yield types.CodeAction("Upgrade this file to today's form", kind, edit=in_one_file(buffer, edits))


def _upgraded(buffer: Buffer) -> Upgrade | None:
    try:
        return upgrade_document(Document(buffer.text, buffer.path))
    except InputError:  # it is broken, or depends on template variables
        return None
