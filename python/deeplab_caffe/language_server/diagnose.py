"""What lint finds in the open texts, as the protocol's diagnostics."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence

from lsprotocol import types

from ..errors import InputError
from ..formats.prototxt import Document
from ..formats.tree import Block, Field
from ..inspection.lint import Finding, Linter, chosen
from ..inspection.lint.findings import RULES, Rule
from .buffers import Buffer
from .open_files import OpenFiles
from .rule_pages import link_to
from .settings import Settings
from .workspace import MOST, Workspace

SOURCE = "deeplab"
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
#: rules about what is not needed, which editors show faded, or struck through
_TAGS = {
    "deprecated-field": [types.DiagnosticTag.Deprecated],
    "unused-solver-field": [types.DiagnosticTag.Unnecessary],
}
_TOKEN = re.compile(r"""\$\{\w+\}[\w.]*|[-+\w.]+|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[^\s]""")


def findings_in(
    workspace: Workspace, buffers: Sequence[Buffer], pause: Callable[[], None] = lambda: None
) -> dict[str, list[Finding]]:
    """What lint finds in some buffers of one family.

    Args:
        workspace: the files.
        buffers: the buffers whose findings are wanted.
        pause: called between rules; what it raises ends the work.

    Returns:
        The findings by path, in the order of the text. A net is looked at in the states in which a solver uses it,
        and compared with the nets that belong with it, as `deeplab prototxt lint` does when it is given all of them.
    """
    found: dict[str, dict[Finding, None]] = {buffer.path: {} for buffer in buffers}
    if not buffers:
        return {}
    files = OpenFiles(workspace)
    linter = Linter(
        _rules(workspace.settings), generator=_generated, files=files, wanted=found.__contains__, pause=pause
    )
    family = workspace.family(buffers[0])
    for member in sorted(family, key=lambda member: member.kind == "net"):  # solvers know the states of their nets
        try:
            for finding in linter.lint(member.path):
                if finding.file in found:
                    found[finding.file][finding] = None
        except InputError:  # removed meanwhile
            continue
    return {path: sorted(items, key=lambda f: f.offset) for path, items in found.items()}


def diagnostics(buffer: Buffer, findings: Iterable[Finding], settings: Settings) -> list[types.Diagnostic]:
    """The diagnostics of a buffer's findings."""
    return [_diagnostic(buffer, finding, settings.site) for finding in findings]


def _diagnostic(buffer: Buffer, finding: Finding, site: str) -> types.Diagnostic:
    layer = f"{finding.layer}: " if finding.layer else ""
    link = link_to(finding.rule, site)
    return types.Diagnostic(
        range=buffer.range(*extent(buffer.document, finding.offset)),
        message=f"{layer}{finding.message}; {finding.advice}".replace(os.getcwd() + os.sep, ""),
        severity=_SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=types.CodeDescription(link) if link else None,
        source=SOURCE,
        tags=_TAGS.get(finding.rule),
    )


def too_long_diagnostic() -> types.Diagnostic:
    """What is said, on the first line, of a text that is not looked at because it is too long."""
    message = f"longer than {MOST >> 20} million characters: not looked at here; run deeplab prototxt lint"
    place = types.Position(0, 0)
    return types.Diagnostic(types.Range(place, place), message, types.DiagnosticSeverity.Information, source=SOURCE)


def extent(document: Document, offset: int) -> tuple[int, int]:
    """What to underline for a finding at an offset: a field with its value, a block's name, or one token."""
    found = _field_from(document.root, offset)
    if found is not None:
        start = found.listed.start if found.listed and found.listed.start == offset else found.start
        return start, found.name_end if isinstance(found.value, Block) else found.end
    token = _TOKEN.match(document.text, offset)
    return (offset, token.end()) if token is not None else (offset, offset)


def _field_from(block: Block, offset: int) -> Field | None:
    """The field that begins at an offset."""
    for item in block.fields:
        if item.start == offset or (item.listed is not None and item.listed.start == offset):
            return item
        if item.start < offset < item.end and isinstance(item.value, Block):
            return _field_from(item.value, offset)
    return None


def _rules(settings: Settings) -> list[Rule]:
    return chosen(ignore=[name for name in settings.ignore if name in RULES])


def _generated(one: Document, other: Document) -> Sequence[tuple[Document, Document]]:
    from ..nets import generated_pairs  # only nets that differ need it

    return generated_pairs(one, other)
