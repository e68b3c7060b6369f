"""What an editor waits for: `deeplab prototxt serve`, spoken to as an editor does, with a net of 20,000 lines open.

    PYTHONPATH=tests python bench/editor.py

The net is the committed training net of ResNet-101 with three scales (11,730 lines), and its layers once more, up to
20,000 lines.
A keystroke changes a number, a name, or a comment at a random place; the time is that from the change to the
diagnostics of its version, which includes the 50 ms for which the server waits whether the typing goes on; a second
later comes the next one. Processor
time is the server's, of all its threads. Memory is the largest that the server's process had. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lsprotocol import types

from deeplab_caffe.formats.prototxt import Document
from language_server.client import Editor
from timing import machine, table

NET = Path("prototxt/voc12/resnet101_msc_aspp")
LINES = 20_000
#: seconds between the diagnostics of one keystroke and the next one; the server tidies up meanwhile
PAUSE = 1.0
#: blobs that the second half of the net shares with the first
_SHARED = ("data", "label", "data_res075", "label_shrink")
#: what a keystroke goes behind
_PLACES = {"a number": r"dilation: \d", "a name": r'name: "res\w', "a comment": "# three"}


def large_net() -> str:
    """The training net, and its layers once more under other names."""
    text = (NET / "train.prototxt").read_text()
    made, parts = {*_SHARED}, [text]
    for layer in Document(text).root.all("layer"):
        bottoms = [field.value.text for field in layer.value.all("bottom")]
        if sum(part.count("\n") + 1 for part in parts) >= LINES:
            break
        if not bottoms or layer.value.text_of("name") in _SHARED or any(name not in made for name in bottoms):
            continue
        made |= {field.value.text for field in layer.value.all("top")}
        names = rf'(name|bottom|top): "(?!(?:{"|".join(_SHARED)})")([^"]+)"'
        parts.append(re.sub(names, r'\1: "\2_b"', text[layer.start : layer.end]) + "\n")
    return "\n".join(parts)


class Watch:
    """The processor time and the memory of the server's process."""

    def __init__(self, process: int) -> None:
        self._folder = Path(f"/proc/{process}")

    def processor(self) -> float:
        """Seconds of all threads."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> str:
        """Megabytes at most."""
        found = re.search(r"VmHWM:\s+(\d+) kB", (self._folder / "status").read_text())
        return f"{int(found[1]) / 1e3:.0f}" if found else "–"


def keystrokes(editor: Editor, uri: str, text: str, place: str, count: int, watch: Watch) -> list[str]:
    """A row of the table: keystrokes at random places of one kind, each taken back by the next one."""
    rng = random.Random(0)
    ends = [match.end() for match in re.finditer(place, text)]
    seconds, processor = [], []
    for turn in range(2 * count):
        if turn % 2 == 0:
            at = rng.choice(ends)
            line, column = text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1
            where, new = (line, column, column), "1"
        else:
            where, new = (line, column, column + 1), ""
        time.sleep(PAUSE)
        began, used = time.perf_counter(), watch.processor()
        area = types.Range(types.Position(where[0], where[1]), types.Position(where[0], where[2]))
        editor.change(uri, (area, new))
        editor.diagnostics(uri)
        seconds.append(time.perf_counter() - began)
        processor.append(watch.processor() - used)
    return [f"{1e3 * of(values):.0f}" for values in (seconds, processor) for of in (statistics.median, max)]


def answers(ask: Callable[[types.Position], object], text: str, count: int) -> list[str]:
    """A row of the table: requests at random places."""
    rng, seconds = random.Random(1), []
    for _ in range(count):
        line = rng.randrange(text.count("\n"))
        began = time.perf_counter()
        ask(types.Position(line, 4))
        seconds.append(time.perf_counter() - began)
    return [f"{1e3 * statistics.median(seconds):.1f}", f"{1e3 * max(seconds):.1f}", "", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10, help="keystrokes of each kind (%(default)s)")
    parser.add_argument("--family", action="store_true", help="its deploy net is open, too")
    arguments = parser.parse_args()
    text = large_net()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train.prototxt").write_text(text)
        if arguments.family:
            (folder / "deploy.prototxt").write_text((NET / "deploy.prototxt").read_text())
        with Editor(folder) as editor:
            watch = Watch(editor.process.pid)
            began = time.perf_counter()
            uri = editor.open(folder / "train.prototxt")
            editor.diagnostics(uri)
            opened = [f"{1e3 * value:.0f}" for value in (time.perf_counter() - began, watch.processor())]
            rows.append(["opened, until its first diagnostics", opened[0], "", opened[1], ""])
            if arguments.family:
                editor.diagnostics(editor.open(folder / "deploy.prototxt"))
            for kind, place in _PLACES.items():
                row = keystrokes(editor, uri, text, place, arguments.count, watch)
                rows.append([f"a keystroke in {kind}, until fresh diagnostics", *row])
            item = types.TextDocumentIdentifier(uri)
            for title, method, params in (
                ("hover", types.TEXT_DOCUMENT_HOVER, types.HoverParams),
                ("completion", types.TEXT_DOCUMENT_COMPLETION, types.CompletionParams),
            ):
                if getattr(editor.capabilities, f"{title}_provider"):

                    def ask(at: types.Position, method: str = method, params: type = params) -> object:
                        return editor.request(method, params(item, at))

                    rows.append([title, *answers(ask, text, 50)])
            memory = watch.memory()
    print(machine(1, "cpu"))
    print(f"\n{text.count(chr(10))} lines; memory of the server at most {memory} MB\n")
    print(table(["", "ms, median", "worst", "processor, ms, median", "worst"], rows))


if __name__ == "__main__":
    main()
