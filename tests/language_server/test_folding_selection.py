"""What can be folded, and how a selection grows."""

from __future__ import annotations

import pytest

from deeplab_caffe.language_server.features.folding import folding_ranges
from deeplab_caffe.language_server.features.selection import selection_ranges
from language_server.texts import at_mark, opened, part

NET = """# one
# two
name: "net"  # three
# four
layer {
  name: "a"
  # five

  # six
  convolution_param {
    num_output: 1
  }
  dim: [
    1,
    2
  ]
}
layer { name: "b" }
"""


def test_blocks_lists_and_runs_of_comments_fold() -> None:
    found = folding_ranges(opened(NET))
    assert [(fold.start_line, fold.end_line, fold.kind) for fold in found] == [
        (0, 1, "comment"),
        (4, 15, None),
        (9, 10, None),
        (12, 14, None),
    ]


def test_line_ends_of_windows_and_broken_text_fold_too() -> None:
    assert [(f.start_line, f.end_line) for f in folding_ranges(opened(NET.replace("\n", "\r\n")))] == [
        (0, 1), (4, 15), (9, 10), (12, 14)
    ]  # fmt: skip
    folding_ranges(opened(NET[:120]))


@pytest.mark.parametrize(
    "text, parts",
    [
        (
            'layer { convolution_param { num_output: 1 pad: 1|2 } } x: 1',
            [
                "12",
                "pad: 12",
                "num_output: 1 pad: 12",
                "{ num_output: 1 pad: 12 }",
                "convolution_param { num_output: 1 pad: 12 }",
                "{ convolution_param { num_output: 1 pad: 12 } }",
                "layer { convolution_param { num_output: 1 pad: 12 } }",
            ],
        ),
        ('layer { name: "é|a" } x: 1', ["éa", '"éa"', 'name: "éa"', '{ name: "éa" }', 'layer { name: "éa" }']),
        ("x: 1 di|m: [1, 2]", ["dim", "dim: [1, 2]"]),
        ("x: 1 dim: [1, 2|]", ["2", "dim: [1, 2]"]),
        ("la|yer {} x: 1", ["layer", "layer {}"]),
        ("layer |{} x: 1", ["{}", "layer {}"]),
        ("layer {|} x: 1", ["{}", "layer {}"]),
        ("layer { a: 1 |\n b: 2 } x: 1", ["a: 1 \n b: 2", "{ a: 1 \n b: 2 }", "layer { a: 1 \n b: 2 }"]),
        ("x: 1 |\n", []),
        ("layer { a { b: |1\n", ["1", "b: 1", "a { b: 1", "{ a { b: 1\n"]),
    ],
)
def test_a_selection_grows_along_the_tree(text: str, parts: list[str]) -> None:
    buffer, position = at_mark(text)
    [found] = selection_ranges(buffer, [position])
    chain = []
    step = found
    while step.parent is not None:
        assert step.parent.range.start <= step.range.start and step.range.end <= step.parent.range.end
        assert step.range.start <= position <= step.range.end
        chain.append(part(buffer, step.range))
        step = step.parent
    assert part(buffer, step.range) == buffer.text
    assert chain == parts
