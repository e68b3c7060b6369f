"""Writes docs/lint-rules.md: each rule of `deeplab prototxt lint`, its reason, a wrong and a right example, its fix.

python tests/lint_rules_page.py

The examples are the planted mistakes of `lint_plants`: the wrong one is what the rule is tested with, the right one is
linted too, and what `--fix` makes of the wrong one is what it makes of it here.
"""

from __future__ import annotations

import os
import re
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import lint_nets
from deeplab_caffe.formats.formatting import format_document
from deeplab_caffe.formats.prototxt import Block, Document, PrototxtError
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.inspection.lint import RULES, Finding, Linter, chosen, fix_file
from deeplab_caffe.inspection.lint.findings import SEVERITIES, Rule
from lint_plants import PLANTED, Plant

PAGE = Path(__file__).parent.parent / "docs" / "lint-rules.md"
HEAD = """\
# Rules of `deeplab prototxt lint`

This page is written by `make docs` from the rules and their tests. How to run lint, choose rules and silence findings:
[Tools for prototxt](prototxt-tools.md#lint). How to add a rule: [CONTRIBUTING.md](../CONTRIBUTING.md).

Examples are cut from the small nets of the tests; `# …` stands for lines that are left out.
"""


class Shown(NamedTuple):
    """How a rule's example is shown, where the mistake undone is not the best one.

    right: what to replace in the right file, by what, to get the right example. layers: the layers to show, where
    those that differ are not the ones.
    """

    right: Sequence[tuple[str, str]] = ()
    layers: Sequence[str] = ()


_ACCURACY = 'layer {\n  name: "accuracy"'
_RELU1 = 'layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }\n'
_BN = 'layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }\n'
_SCALE = 'layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }\n'


def _instead(name: str, old: str, new: str) -> tuple[str, str]:
    """The replacement of a planted mistake with `new` for `old` in it."""
    plant = PLANTED[name][0]
    assert old in plant.new, name
    return plant.old, plant.new.replace(old, new)


SHOWN: dict[str, Shown] = {
    "missing-field": Shown([_instead("missing-field", "min: 0", "min: 0 max: 6")], ["clip"]),
    "old-dialect": Shown([(lint_nets.TEST, 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }\n')], ["r"]),
    "no-layers": Shown([(lint_nets.TEST, 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }\n')], ["r"]),
    "no-counterpart": Shown([(lint_nets.TEST, 'layer { name: "g" type: "Scale" bottom: "x" top: "g" }\n')], ["g"]),
    "deprecated-field": Shown([_instead("deprecated-field", "concat_dim", "axis")], ["both"]),
    "in-place-shared": Shown(
        [_instead("in-place-shared", _RELU1, _RELU1.replace('top: "conv1"', 'top: "relu1"'))], ["side", "relu1"]
    ),
    "repeated-name": Shown(layers=["conv1", "conv2"]),
    "in-place-gradient": Shown(layers=["relu2", "drop2"]),
    "propagate-down-count": Shown(
        [_instead("propagate-down-count", "propagate_down: true\n", "propagate_down: true\n  propagate_down: false\n")]
    ),
    "crop-offset": Shown(
        [_instead("crop-offset", 'top: "cut" ', 'top: "cut" crop_param { axis: 2 offset: 8 } ')], ["wide", "cut"]
    ),
    "activation-on-scores": Shown(layers=["fc8", "relu8", "loss"]),
    "missing-activation": Shown(layers=["conv2", "relu2", "fc8"]),
    "constant-filler": Shown([_instead("constant-filler", 'type: "constant" value: 0.1', 'type: "xavier"')], ["conv1"]),
    "deconvolution-filler": Shown(
        [_instead("deconvolution-filler", "bias_term", 'weight_filler { type: "bilinear" } bias_term')], ["up"]
    ),
    "batch-norm-multiplier": Shown([_instead("batch-norm-multiplier", "lr_mult: 1", "lr_mult: 0")], ["bn1"]),
    "batch-norm-without-scale": Shown([(_RELU1, _BN + _SCALE + _RELU1)], ["bn1", "scale1", "relu1"]),
    "bias-before-batch-norm": Shown(
        [(_RELU1, _BN + _SCALE + _RELU1), ("kernel_size: 3 pad: 1 }", "kernel_size: 3 pad: 1 bias_term: false }")],
        ["conv1", "bn1"],
    ),
    "nothing-learns": Shown(layers=["fc8"]),
    "shared-shape": Shown(layers=["conv1", "conv2"]),
    "shared-multiplier": Shown([_instead("shared-multiplier", "lr_mult: 3", "lr_mult: 1")], ["p", "q"]),
    "label-size": Shown(layers=["label_shrink", "loss"]),
    "class-count": Shown([_instead("class-count", "num_output: 4", "num_output: 5")], ["fc9", "loss9"]),
    "label-gradient": Shown(
        [_instead("label-gradient", 'bottom: "estep" loss', 'bottom: "estep" propagate_down: true '
                  "propagate_down: false loss")], ["estep", "loss2"],
    ),
    "missing-file": Shown([('source: "train.txt"', 'source: "list/train.txt"')], ["data"]),
    "solver-type": Shown([("solver_mode", 'type: "Adam"\nsolver_mode')]),
    "test-settings": Shown(
        [("max_iter", 'test_net: "{folder}/test.prototxt"\ntest_iter: 10\ntest_interval: 500\nmax_iter')]
    ),
    "missing-weights": Shown([("max_iter", 'weights: "init.caffemodel"\nmax_iter')]),
    "no-loss": Shown(layers=["loss"]),
}  # fmt: skip


class Example(NamedTuple):
    """A rule's example: the texts of one file, and what is found in the wrong one. fixed: None where no fix exists."""

    rule: Rule
    finding: Finding
    wrong: str
    right: str
    fixed: str | None
    layers: Sequence[str]


def example(name: str) -> Example:
    """The example of a rule: its first planted mistake that can be fixed, else its first one."""
    shown = SHOWN.get(name, Shown())
    plants = PLANTED[name][:1] if name in SHOWN else PLANTED[name]
    made = [_example(RULES[name], plant, shown) for plant in plants]
    return next((item for item in made if item.fixed is not None), made[0])


def _example(rule: Rule, plant: Plant, shown: Shown) -> Example:
    replaced = shown.right or [(plant.old, plant.old)]
    with _files() as folder:
        right, left = _linted(folder, rule.name, plant.file, replaced)
        assert not left, f"{rule.name} is found in the right example: {left}"
    with _files() as folder:
        wrong, found = _linted(folder, rule.name, plant.file, [(plant.old, plant.new)], plant.count)
        found = [f for f in found if plant.says in f.message + f.advice] or found  # "on line 25" may be another
        fixed = None
        if found[0].fixable:
            fix_file(f"{folder}/{plant.file}.prototxt", found[:1], template_values([], {}))
            fixed = _text(folder, plant.file)
    return Example(rule, found[0], wrong, right, fixed, shown.layers)


@contextmanager
def _files() -> Iterator[Path]:
    """A folder to lint in, which holds what the right examples name."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        try:
            Path("list").mkdir()
            for there in ("list/train.txt", "init.caffemodel"):
                Path(there).touch()
            yield folder
        finally:
            os.chdir(before)


def _linted(
    folder: Path, rule: str, file: str, replaced: Sequence[tuple[str, str]], count: int = 1
) -> tuple[str, list[Finding]]:
    """The text of a file with some of it replaced, and what a rule finds in it."""
    lint_nets.write(folder)
    path = folder / f"{file}.prototxt"
    text = path.read_text()
    for old, new in replaced:
        old, new = (part.replace("{folder}", str(folder)) for part in (old, new))
        assert old in text, f"{rule}: {old!r}"
        text = text.replace(old, new, count)
    path.write_text(_laid_out(text))
    linter = Linter(chosen(also=[rule]), template_values([], {}))
    found = linter.lint(folder / "solver.prototxt") + linter.lint(folder / "test.prototxt")
    return _text(folder, file), [f for f in found if f.rule == rule and Path(f.file) == path]


def _laid_out(text: str) -> str:
    try:
        return format_document(Document(text))
    except PrototxtError:  # the mistake of `syntax`
        return text


def _text(folder: Path, file: str) -> str:
    return (folder / f"{file}.prototxt").read_text().replace(f"{folder}/", "")


# -- cutting an example out of a file


def excerpt(text: str, other: str, layers: Sequence[str] = (), line: int = 0) -> str:
    """The layers of that name, else those that differ from the other text: their head and the lines that differ.

    Of a solver the lines that differ and what follows them. line: one to be shown, counted from 1.
    """
    lines, blocks = text.splitlines(), list(_layers(text))
    changed, near = _changed(text, other)
    fields = {_field(lines[i]) for i in changed} | {_field(other.splitlines()[i]) for i in _changed(other, text)[0]}
    fields -= {""}
    changed |= {line - 1} - {-1}
    near |= changed
    kept: set[int] = set()
    for first, last, name in blocks:
        inside = [i for i in range(first, last + 1) if i in changed or _field(lines[i]) in fields]
        if name in layers or (not layers and any(first <= i <= last for i in near)):
            kept.update(_outline(lines, first, last), inside)
            kept.update(i for i in range(first, last) if _encloses(lines, i, inside))
    if not blocks:
        kept = {i + k for i in near for k in (0, 1)}
    return _joined(lines, sorted(i for i in kept if i < len(lines) and lines[i].strip()))


def _changed(text: str, other: str) -> tuple[set[int], set[int]]:
    """The lines that the other text has not, and those before which it has others."""
    changed, near = set(), set()
    matcher = SequenceMatcher(None, text.splitlines(), other.splitlines(), autojunk=False)
    for tag, first, last, _, _ in matcher.get_opcodes():
        if tag != "equal":
            changed.update(range(first, last))
            near.add(first)
    return changed, near


def _layers(text: str) -> Iterator[tuple[int, int, str]]:
    """(first line, last line, name) of each layer, counted from 0."""
    try:
        document = Document(text)
    except PrototxtError:  # the mistake of `syntax`
        yield from _layers_by_braces(text)
        return
    for field in document.root.fields:
        if isinstance(field.value, Block):
            first, last = document.place(field.start)[0] - 1, document.place(field.end - 1)[0] - 1
            yield first, last, field.value.text_of("name") or ""


def _layers_by_braces(text: str) -> Iterator[tuple[int, int, str]]:
    first = 0
    for i, line in enumerate(text.splitlines()):
        if line.startswith("layer"):
            first = i
        if line.startswith("}"):
            yield first, i, ""


def _outline(lines: Sequence[str], first: int, last: int) -> list[int]:
    """What is shown of a layer anyway: all of a short one, else its braces, name, type, bottoms and tops."""
    if last - first < 6:
        return list(range(first, last + 1))
    heads = ("  name:", "  type:", "  bottom:", "  top:")
    return [first, last, *(i for i in range(first, last) if lines[i].startswith(heads))]


def _field(line: str) -> str:
    """The name of the field that a line within a block states, or ""."""
    found = re.match(r"\s+(\w+)\b", line)
    return found[1] if found else ""


def _encloses(lines: Sequence[str], index: int, inside: Sequence[int]) -> bool:
    """Whether a line opens or closes a block that a line to be shown stands in."""
    depth = _depth(lines[index])
    for i in inside:
        if depth < _depth(lines[i]):
            between = lines[min(i, index) + 1 : max(i, index)]
            if all(_depth(x) > depth for x in between if x.strip()):
                return True
    return False


def _joined(lines: Sequence[str], kept: Sequence[int]) -> str:
    shown: list[str] = []
    for before, i in zip([*kept[:1], *kept], kept, strict=False):
        if any(line.strip() for line in lines[before + 1 : i]) and not _top(lines[i]):
            depth = _depth(lines[i]) + 2 * (lines[i].strip() == "}")
            shown.append(" " * depth + "# …")
        shown.append(lines[i])
    return "\n".join(shown)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _top(line: str) -> bool:
    return line.startswith(("layer", "layers")) or (line[:1].isalpha() and ":" in line)


# -- the page


def page() -> str:
    """The text of the page."""
    rules = sorted(RULES.values(), key=lambda r: (SEVERITIES.index(r.severity), r.name))
    table = ["| rule | | finds |", "|---|---|---|"]
    table += [f"| [`{r.name}`](#{r.name}) | {r.severity} | {r.summary} |" for r in rules]
    return "\n".join([HEAD, *table, "", *(_section(example(r.name)) for r in rules)])


def _section(item: Example) -> str:
    line = item.finding.line if item.rule.name != "no-loss" else 0  # which is found at the last layer
    parts = [
        f"## `{item.rule.name}`\n\n**{item.rule.severity}**: {item.rule.summary}.",
        textwrap.fill(item.rule.reason, 120),
        f"Wrong:\n\n{_block(excerpt(item.wrong, item.right, item.layers, line))}",
        f"Right:\n\n{_block(excerpt(item.right, item.wrong, item.layers))}",
        f"Lint says:\n\n{_block(_message(item.finding))}",
    ]
    return "\n\n".join([*parts, _fix_of(item)]) + "\n"


def _message(finding: Finding) -> str:
    """What lint says, without the folder and without long lists."""
    where = f"{finding.layer}: " if finding.layer else ""
    folder = str(Path(finding.file).parent)
    text = f"{where}{finding.message}; {finding.advice}".replace(f"{folder}/", "").replace(f" in {folder}", "")
    assert folder not in text
    text = re.sub(r"\(known types: [^)]*\)", "(known types: …)", text)
    return textwrap.fill(text, 110, break_long_words=False, break_on_hyphens=False)


def _fix_of(item: Example) -> str:
    if item.fixed is None:
        return "`--fix` does not change this."
    if item.fixed == item.right:
        return "`--fix` turns the wrong example into the right one."
    return f"`--fix` makes:\n\n{_block(excerpt(item.fixed, item.wrong, item.layers))}"


def _block(text: str) -> str:
    return f"```\n{text}\n```"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
