"""`upgrade_net_proto_text`, `upgrade_solver_proto_text`: convert nets and solvers to the current format."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...files import write_text
from ..gflags import Program

PROGRAM = Program("usage: upgrade_net_proto_text IN OUT (or upgrade_solver_proto_text)\n\nBoth are prototxt files.")


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) != 2:
        raise InputError(f"expected IN OUT but got {len(words)} arguments; see --help")
    from ...formats.prototxt import Document
    from ...formats.upgrade_class_weights import write_matrices
    from ...formats.upgrade_text import upgrade_document

    upgrade = upgrade_document(Document.read(words[0]), words[1])
    write_matrices(upgrade)
    write_text(words[1], upgrade.text)
    print(upgrade)
