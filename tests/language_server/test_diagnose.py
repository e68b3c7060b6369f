"""What lint says of texts that are open, saved or not, whole or broken."""

import sys

from language_server.texts import CONV, DATA, NET

from deeplab_caffe.inspection.lint import RULES
from deeplab_caffe.language_server.diagnose import diagnostics, extent, findings_in
from deeplab_caffe.language_server.rule_pages import link_to
from deeplab_caffe.language_server.settings import Settings
from deeplab_caffe.permission import python_layers

WRONG = NET.replace("pad: 12", "pad: 6")
SOLVER = "net: 'train.prototxt'\nbase_lr: 0.1\nlr_policy: 'fixed'\nmax_iter: 9\n"


def _rules(workspace, *buffers):
    found = findings_in(workspace, buffers)
    return [[f.rule for f in found[b.path] if f.rule not in ("no-loss", "unused-blob")] for b in buffers]


def test_a_finding_as_a_diagnostic(workspace, opened):
    buffer = opened(WRONG)
    [item] = diagnostics(buffer, findings_in(workspace, [buffer])[buffer.path], Settings())
    assert (item.code, item.source, int(item.severity)) == ("dilation-pad", "deeplab", 2)
    assert item.message.startswith("fc6 (Convolution): kernel 3 with dilation 12 keeps the size with pad 12, not 6")
    line = buffer.text.splitlines()[item.range.start.line]
    assert line[item.range.start.character : item.range.end.character] == "pad: 6"


def test_every_rule_has_a_link_that_leads_to_its_heading():
    from urllib.request import url2pathname

    for rule in RULES:
        address, line = link_to(rule).removeprefix("file://").split("#L")
        with open(url2pathname(address)) as file:
            assert file.read().splitlines()[int(line) - 1] == f"## `{rule}`"
    assert link_to("syntax", "https://x.org") == "https://x.org/lint-rules.html#syntax"
    assert link_to("no-such-rule") is None


def test_the_rest_of_a_broken_text_is_checked(workspace, opened):
    broken = DATA + "layer { name: 'x' type: 'ReLU' bottom: 'data' top: }\n" + WRONG.removeprefix(DATA) + "}\n"
    [found] = _rules(workspace, opened(broken))
    assert found == ["syntax", "dilation-pad", "syntax"]


def test_a_solver_sees_the_unsaved_net_that_it_names(workspace, opened, tmp_path):
    (tmp_path / "train.prototxt").write_text(NET)
    solver = opened(SOLVER, "solver.prototxt")
    assert "solver-net" not in _rules(workspace, solver)[0]
    train = opened("layer { name: 'x' ", "train.prototxt")
    assert _rules(workspace, train, solver)[0][0] == "syntax"
    workspace.close(train.uri)
    (tmp_path / "train.prototxt").unlink()
    assert _rules(workspace, solver) == [["solver-net"]]


def test_two_nets_of_one_model_are_compared_as_they_are_typed(workspace, opened):
    loss = DATA + CONV + "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'fc6' bottom: 'fc6' top: 'loss' }\n"
    train, deploy = opened(loss, "train.prototxt"), opened(NET, "deploy.prototxt")
    assert _rules(workspace, train, deploy) == [[], []]
    train = opened(loss.replace("dilation: 12", "dilation: 6").replace("pad: 12", "pad: 6"), "train.prototxt")
    assert _rules(workspace, train, deploy) == [[], ["different-nets"] * 2]


def test_rules_that_the_user_ignores(workspace, opened):
    workspace.configure(Settings.of({"deeplab": {"lint": {"ignore": ["dilation-pad", "no-such-rule"]}}}))
    assert _rules(workspace, opened(WRONG)) == [[]]


def test_settings_of_any_kind_are_taken():
    for sent in (None, 5, [], {"deeplab": 1}, {"deeplab": {"allowPythonLayers": "yes", "lint": 3, "variables": []}}):
        assert Settings.of(sent) == Settings()
    assert Settings.of({"allowPythonLayers": True, "variables": {"N": 2}}) == Settings(True, variables={"N": "2"})


def test_python_layers_are_not_imported(workspace, opened, tmp_path, monkeypatch):
    (tmp_path / "evil_layer.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    python = (
        "layer { name: 'p' type: 'Python' bottom: 'fc6' top: 'p' python_param { module: 'evil_layer' layer: 'P' } }"
    )
    with python_layers(False):
        assert _rules(workspace, opened(NET + python)) == [[]]
    assert "evil_layer" not in sys.modules


def test_what_is_underlined(opened):
    document = opened("layer { name: 'a'\n mean: [1, 2] x ~ }").document
    texts = [document.text[slice(*extent(document, document.text.index(at)))] for at in ("layer", "name", "mean", "~")]
    assert texts == ["layer", "name: 'a'", "mean: [1", "~"]


def test_a_net_with_one_dangling_bottom_keeps_its_other_shapes(opened):
    more = "layer { name: 'r' type: 'ReLU' bottom: 'fc66' top: 'r' }\nlayer { name: 's' type: 'ReLU' bottom: 'r' top: 's' }"
    view = opened(NET + more).net.views[0]
    assert view.shapes.net.blobs == {"data": (1, 3, 33, 33), "fc6": (1, 8, 33, 33), "r": None, "s": None}
