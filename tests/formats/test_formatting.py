"""The canonical layout: what it looks like, that it keeps everything, and that it is stable."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.formats.formatting import format_document, format_pieces
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.tree import same_fields
from random_prototxt import random_prototxt

REPOSITORY = Path(__file__).parents[2]

UNTIDY = """# head

name: 'x'   # the name


layer: { name: "a" type: 'Convolution', # what
  bottom: "data"; top: "a"
\t# commented: 1

  convolution_param < num_output: 0x10 kernel_size: [3, 5] # sizes
    weight_filler { type: "x" } > # end
  # last
} # after

${MORE}
layer { # open
}
layer { name: "r" type: "ReLU"
  bottom: "a" top: "a" }
input_dim: [1, # one
  2]
state {
  # nothing
}
# the end"""

TIDY = """# head

name: "x"  # the name

layer {
  name: "a"
  type: "Convolution"  # what
  bottom: "data"
  top: "a"
  # commented: 1
  convolution_param {
    num_output: 0x10
    kernel_size: 3
    kernel_size: 5  # sizes
    weight_filler { type: "x" }
  }  # end
  # last
}  # after

${MORE}

layer {  # open
}
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
input_dim: 1  # one
input_dim: 2

state {
  # nothing
}

# the end
"""


def test_the_layout():
    assert format_document(Document(UNTIDY)) == TIDY


@pytest.mark.parametrize("seed", range(150))
def test_everything_is_kept_and_formatting_again_changes_nothing(seed):
    document = Document(random_prototxt(seed))
    text = format_document(document)
    again = Document(text)
    assert same_fields(document.root, again.root)
    kept = [comment for _, comment in again.comments]
    assert kept == [comment.rstrip() for _, comment in document.comments]
    assert format_document(again) == text


def test_a_generated_file_is_in_the_layout():
    text = (REPOSITORY / "prototxt/voc12/largefov/train.prototxt").read_text()
    assert format_document(Document(text)) == text


def test_strings_that_are_no_text_keep_their_bytes():
    assert format_document(Document(r"data: '\377\000' mean: 'é'")) == 'data: "\\377\\000"\nmean: "é"\n'


def test_the_command_formats_in_place(tmp_path, capsys):
    path = tmp_path / "a.prototxt"
    path.write_text("name:'x'")
    assert main(["prototxt", "format", "--check", str(path)]) == 1
    assert main(["prototxt", "format", "--diff", str(path)]) == 1
    out = capsys.readouterr().out
    assert "a.prototxt: would change" in out and '+name: "x"' in out and path.read_text() == "name:'x'"
    assert main(["prototxt", "format", str(tmp_path)]) == 0
    assert path.read_text() == 'name: "x"\n'
    assert main(["prototxt", "format", "--check", str(path)]) == 0


def test_one_unreadable_file_does_not_keep_the_others_from_their_turn(tmp_path, capsys):
    (tmp_path / "a.prototxt").write_text("name: 'x")
    (tmp_path / "b.prototxt").write_text("name: 'x'")
    assert main(["prototxt", "format", str(tmp_path), str(tmp_path / "none.prototxt")]) == 2
    assert (tmp_path / "b.prototxt").read_text() == 'name: "x"\n'
    error = capsys.readouterr().err
    assert "a.prototxt:1:7: unexpected character" in error and "Could not open file" in error


def test_a_folder_without_prototxt_is_an_error(tmp_path, capsys):
    assert main(["prototxt", "format", str(tmp_path)]) == 2
    assert "no .prototxt file in this folder" in capsys.readouterr().err


def test_a_template_is_filled_in_only_where_that_is_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "t.prototxt"
    path.write_text("name: '${A}' # ${A}\n${B}\n")
    monkeypatch.setenv("B", "input_dim:1")
    assert main(["prototxt", "format", str(path)]) == 0
    assert path.read_text() == 'name: "${A}"  # ${A}\n${B}\n'
    assert main(["prototxt", "format", "--fill", str(path)]) == 2
    assert main(["prototxt", "format", "--fill", "--set", "A=it's", str(path)]) == 0
    assert path.read_text() == 'name: "it\'s"  # ${A}\ninput_dim: 1\n'


def test_standard_input_goes_to_standard_output(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("name:'x'"))
    assert main(["prototxt", "format", "-"]) == 0
    assert capsys.readouterr().out == 'name: "x"\n'


def _with_pieces(text: str, step: int = 1, first: int = 0) -> str:
    """A text with some of its pieces formatted: every `step`-th, from the `first` on."""
    pieces = list(format_pieces(Document(text)))
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
    assert not text or pieces[-1].end == len(text)
    parts = [text[piece.start : piece.end] for piece in pieces]
    parts[first::step] = [piece.text for piece in pieces[first::step]]
    return "".join(parts)


@pytest.mark.parametrize("text", [UNTIDY, UNTIDY.replace("\n", "\r\n"), "a: 1 b { c: 2 } # x\nd: 3 ", " \n", ""])
def test_any_of_the_pieces_can_be_formatted_alone(text: str) -> None:
    whole = format_document(Document(text))
    assert _with_pieces(text) == whole
    for step, first in ((2, 0), (2, 1), (3, 0), (3, 1), (3, 2)):
        mixed = Document(_with_pieces(text, step, first))
        assert same_fields(mixed.root, Document(text).root)
        assert format_document(mixed) == whole


def test_pieces_of_random_files_can_be_formatted_alone() -> None:
    for seed in range(60):
        text = random_prototxt(seed)
        mixed = Document(_with_pieces(text, step=2))
        assert same_fields(mixed.root, Document(text).root)
        assert len(mixed.comments) == len(Document(text).comments)
