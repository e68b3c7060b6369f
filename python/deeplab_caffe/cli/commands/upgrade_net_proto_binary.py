"""`upgrade_net_proto_binary`: converts a .caffemodel of any dialect to the current format, weights included."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...files import write_bytes
from ..gflags import Program

PROGRAM = Program("usage: upgrade_net_proto_binary IN OUT\n\nBoth are .caffemodel files.")


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) != 2:
        raise InputError(f"expected IN OUT but got {len(words)} arguments; see --help")
    from ...formats.upgrade_binary import upgrade_binary

    upgrade, net = upgrade_binary(words[0])
    write_bytes(words[1], net.SerializeToString())
    print(upgrade)
