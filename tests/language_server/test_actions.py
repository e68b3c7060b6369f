"""Quick fixes: each is applied, and the text is as it should be."""

import pytest
from language_server.texts import CONV, NET
from lsprotocol.types import Range, TextDocumentContentChangePartial

from deeplab_caffe.language_server.features.actions import actions

LABELS = (
    "layer {\n  name: 'data'\n  type: 'ImageSegData'\n  top: 'data'\n  top: 'label'\n  transform_param { crop_size: 33 }\n"
    "  image_data_param { source: 'l.txt' batch_size: 1 shuffle: true label_type: PIXEL }\n}\n"
)
LOSS = "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'fc6' bottom: 'label' }\n"


def _offered(workspace, buffer, at):
    position = buffer.position(buffer.text.index(at))
    return {action.title: action for action in actions(workspace, buffer, Range(position, position))}


def _after(buffer, action):
    edits = action.edit.changes[buffer.uri]
    return buffer.changed(2, [TextDocumentContentChangePartial(range=e.range, text=e.new_text) for e in edits]).text


@pytest.mark.parametrize(
    ("text", "at", "title", "old", "new"),
    [
        (NET.replace("dilation: 12", "dilation: 6"), "dilation", "Set pad: 6", "pad: 12", "pad: 6"),
        (NET.replace(" dilation: 12", "").replace("pad: 12", "pad: 2"), "kernel", "Set pad: 1, which keeps the size", "pad: 2", "pad: 1"),
        (NET + "layer { name: 'r' type: 'ReLU' bottom: 'fc66' top: 'r' }", "'fc66'", "Change it to fc6", "fc66", "fc6"),
        (NET + "layer { name: 'r' type: 'Rellu' bottom: 'fc6' top: 'r' }", "Rellu", "Change it to ReLU", "Rellu", "ReLU"),
        (LABELS + CONV + LOSS, "'loss'", "Set loss_param { ignore_label: 255 }", "bottom: 'label' }", "bottom: 'label' loss_param { ignore_label: 255 } }"),
        (NET.replace("num_output", "num_ouput"), "num_ouput", "Correct its name, or remove it", "num_ouput", "num_output"),
        (NET.replace("pad: 12", "pad: 6"), "pad: 6", "Ignore dilation-pad here", "dilation: 12 }", "dilation: 12 }  # lint: ignore=dilation-pad"),
        ("layers { name: 'r' type: RELU bottom: 'a' top: 'a' }  # V1\r\n", "RELU", "Upgrade this file to today's form", "layers { name: 'r' type: RELU", "layer { name: 'r' type: \"ReLU\""),
        ("net: 'n'\nlr_policy: 'fixed'\nstepsize: 3\n", "stepsize", "Remove stepsize", "stepsize: 3\n", ""),
        ("net: 'n'\nlr_policy: 'fixd'\n", "fixd", "Change it to fixed", "fixd", "fixed"),
    ],
)  # fmt: skip
def test_a_fix(workspace, opened, text, at, title, old, new):
    buffer = opened(text, "solver.prototxt" if "lr_policy" in text else "net.prototxt")
    offered = _offered(workspace, buffer, at)
    assert title in offered, list(offered)
    assert _after(buffer, offered[title]) == text.replace(old, new)


def test_all_of_a_rule_and_all_in_the_file(workspace, opened):
    buffer = opened(LABELS + CONV + LOSS + LOSS.replace("'loss'", "'loss2'").replace("shuffle", ""))
    offered = _offered(workspace, buffer, "'loss2'")
    [all_of_rule] = [title for title in offered if title.startswith("Fix all 2 of ignore-label")]
    assert _after(buffer, offered[all_of_rule]).count("ignore_label: 255") == 2
    assert (
        str(offered["Fix all that is safe to fix in this file"].kind)
        and "Fix all that is safe to fix in this file" in offered
    )


def test_a_comment_on_the_line_keeps_its_place(workspace, opened):
    buffer = opened(NET.replace("pad: 12", "pad: 6").replace("dilation: 12 }", "dilation: 12 }  # large"))
    after = _after(buffer, _offered(workspace, buffer, "pad: 6")["Ignore dilation-pad here"])
    assert "  # lint: ignore=dilation-pad\n  convolution_param" in after


def test_nothing_is_offered_where_nothing_is_wrong(workspace, opened):
    assert _offered(workspace, opened(NET), "num_output") == {}
