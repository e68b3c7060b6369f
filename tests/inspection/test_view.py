"""The page of a net: what stands in which box and where, and the page itself in a browser."""

from __future__ import annotations

import html
import json
import re
import subprocess

import pytest

import small_nets as nets
from chromium import CHROMIUM, FLAGS, in_chromium
from deeplab_caffe.cli.main import main
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.inspection.analysis import analyse
from deeplab_caffe.inspection.diff import diff_documents
from deeplab_caffe.inspection.view import page
from deeplab_caffe.inspection.view.edges import draw_edges
from deeplab_caffe.inspection.view.graph_layout import place_boxes, row_tops
from deeplab_caffe.inspection.view.nodes import blocks, common_ranks, make_nodes, ranks
from deeplab_caffe.nets import generate

_UNIT = [
    nets.conv("res2a_branch2a", "pool1"),
    nets.layer("BatchNorm", "bn2a_branch2a", "res2a_branch2a", tops="res2a_branch2a"),
    nets.layer("ReLU", "res2a_relu", "res2a_branch2a", tops="res2a_branch2a"),
    nets.conv("res2a_branch2b", "res2a_branch2a"),
    nets.layer("Eltwise", "res2a", "pool1 res2a_branch2b"),
]
_NET = [
    nets.image("33x33", 3),
    nets.image("33x33", name="label"),
    nets.conv("conv1", "data"),
    nets.layer("ReLU", "relu1", "conv1", tops="conv1"),
    nets.layer("Pooling", "pool1", "conv1", "pooling_param { kernel_size: 3 stride: 2 pad: 1 }"),
    *_UNIT,
    nets.conv("fc6_1", "res2a", outputs=21),
    nets.conv("fc6_2", "res2a", outputs=21),
    nets.layer("Eltwise", "fc8", "fc6_1 fc6_2"),
    nets.layer("Interp", "small", "label", "interp_param { shrink_factor: 2 }"),
    nets.layer("SoftmaxWithLoss", "loss", "fc8 small"),
]


def _params(path) -> list:
    return [layer.shapes.param for layer in analyse(path).layers]


@pytest.fixture
def nodes(write):
    return make_nodes(_params(write(nets.net(*_NET))))


def test_what_works_in_place_stands_in_its_makers_box(nodes):
    names = [node.name for node in nodes]
    assert "relu1" not in names and "bn2a_branch2a" not in names
    assert nodes[names.index("conv1")].layers == [2, 3]
    assert nodes[names.index("res2a_branch2a")].layers == [5, 6, 7]
    pool = nodes[names.index("pool1")]
    assert sorted(nodes[i].name for i, _ in pool.below) == ["res2a", "res2a_branch2a"]


def test_rows_follow_depth_and_late_readers(nodes):
    rows = dict(zip((node.name for node in nodes), ranks(nodes), strict=True))
    assert [rows[n] for n in ("data", "conv1", "pool1", "res2a_branch2a", "res2a_branch2b", "res2a")] == [*range(6)]
    assert rows["fc6_1"] == rows["fc6_2"] == 6 and rows["fc8"] == 7 and rows["loss"] == 8
    assert rows["small"] == 7 and rows["label"] == 6  # near the loss, not at the top


def test_blocks_are_stages_that_hang_together(nodes):
    found = {label: {nodes[i].name for i in members} for label, members in blocks(nodes)}
    assert found == {"conv1": {"conv1", "pool1"}, "res2": {"res2a_branch2a", "res2a_branch2b", "res2a"}}


def test_blocks_of_branches_bear_their_suffix(write):
    def branch(suffix: str) -> list[str]:
        names = [f"conv{i}_{j}{suffix}" for i in (1, 2) for j in (1, 2)]
        return [nets.conv(n, before) for n, before in zip(names, ["data", *names], strict=False)]

    found = make_nodes(_params(write(nets.net(nets.image(), *branch("_res05"), *branch("_res075")))))
    assert sorted(label for label, _ in blocks(found)) == ["conv1_res05", "conv1_res075", "conv2_res05", "conv2_res075"]


def _placed(nodes):
    rows = ranks(nodes)
    heights = [80.0 if len(node.layers) > 1 else 60.0 for node in nodes]
    return place_boxes(nodes, rows, row_tops([rows], [heights]), heights)


@pytest.mark.parametrize("name", ["voc12/largefov", "voc12/aspp_l", "voc12/fcn8s", "voc12/msc", "voc12/resnet101_msc"])
def test_boxes_are_apart_and_lines_go_round_them(write, name):
    nodes = make_nodes(_params(write(generate(name)["train.prototxt"])))
    boxes = _placed(nodes)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
    for edge in draw_edges(nodes, boxes):
        above, below = boxes[edge.above], boxes[edge.below]
        assert above.bottom < below.y
        for x, top, bottom in re.findall(r" (-?\d+) (-?\d+)L-?\d+ (-?\d+)C", edge.path):
            inside = [b for b in boxes if b.x < int(x) < b.x + b.width and b.y < int(bottom) and b.bottom > int(top)]
            assert not inside, (edge, inside)


def test_the_trunk_goes_straight_and_equal_branches_are_centred(nodes):
    boxes = {node.name: box.middle for node, box in zip(nodes, _placed(nodes), strict=True)}
    trunk = {boxes[n] for n in ("data", "conv1", "pool1", "res2a_branch2a", "res2a_branch2b", "res2a", "fc8")}
    assert len(trunk) == 1
    assert boxes["fc6_1"] + boxes["fc6_2"] == 2 * boxes["res2a"]


def test_rows_of_two_nets_stand_side_by_side(write):
    longer = [*_NET[:5], nets.conv("extra", "pool1"), *_NET[5:]]
    longer[6] = longer[6].replace('"pool1"', '"extra"')
    one, two = (
        make_nodes(_params(write(nets.net(*layers), f"{i}.prototxt"))) for i, layers in enumerate((_NET, longer))
    )
    pairs = {i: [n.name for n in two].index(node.name) for i, node in enumerate(one)}
    first, second = common_ranks(one, two, pairs)
    assert first == [second[pairs[i]] for i in range(len(one))]
    assert max(second) == max(ranks(one)) + 1


def test_rows_of_nets_in_opposite_order_are_their_own(write):
    def chain(*names: str) -> str:
        return nets.net(nets.image(), *(nets.conv(n, b) for n, b in zip(names, ("data", *names), strict=False)))

    one, two = (make_nodes(_params(write(chain(*names), f"{names[0]}.prototxt"))) for names in ("ab", "ba"))
    assert common_ranks(one, two, {0: 0, 1: 2, 2: 1}) == ([0, 1, 2], [0, 1, 2])


def _data(text: str) -> dict:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def test_the_page_holds_everything_and_asks_for_nothing(write, tmp_path, capsys):
    name = "</script><b>&"
    path = write(nets.net(*_NET, nets.conv(name, "fc8")))
    assert main(["prototxt", "view", str(path), "-o", str(tmp_path / "net.html")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'net.html'}\n"
    text = (tmp_path / "net.html").read_text()
    outside = set(re.findall(r"https?://[^\"' ]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not outside and "src=" not in text and "@import" not in text
    (net,) = _data(text)["nets"]
    layers = {layer["name"]: layer for layer in net["layers"]}
    assert name in layers and len(layers) == len(_NET) + 1
    fc6 = dict(layers["fc6_1"]["details"])
    assert fc6["parameters"] == "210 (21×1×3×3, 21)" and fc6["receptive field"] == "17 × 17 of data"
    assert layers["fc6_1"]["text"].startswith('layer {\n  name: "fc6_1"')


def test_a_fault_is_shown_and_told(write, tmp_path, capsys):
    path = write(nets.net(nets.image("9x9"), nets.conv("large", "data", "kernel_size: 99")))
    assert main(["prototxt", "view", str(path)]) == 0
    assert "layer 'large' (Convolution)" in capsys.readouterr().err
    assert _data((tmp_path / "net.html").read_text())["nets"][0]["layers"][1]["kind"] == "broken"


@pytest.fixture
def two(write):
    """The page of two nets: fc6_1 changed, fc6_2 gone, another one new, conv1 renamed."""
    after = nets.net(*_NET).replace("conv1", "stem").replace("relu1", "stem_relu")
    after = after.replace(nets.conv("fc6_2", "res2a", outputs=21), nets.layer("TanH", "fc7", "res2a"))
    after = after.replace('bottom: "fc6_2"', 'bottom: "fc7"').replace("num_output: 21", "num_output: 1")
    paths = write(nets.net(*_NET), "a.prototxt"), write(after, "b.prototxt")
    return page([analyse(p) for p in paths], diff_documents(*map(Document.read, paths)))


def test_two_nets_with_what_differs(two):
    before, after = _data(two)["nets"]
    marks = [{layer["name"]: layer["mark"] for layer in net["layers"] if layer["mark"]} for net in (before, after)]
    assert marks[0] == {
        "conv1": "renamed", "relu1": "renamed", "fc6_1": "changed", "fc6_2": "removed", "fc8": "changed",
    }  # fmt: skip
    assert marks[1]["fc7"] == "added" and marks[1]["stem"] == "renamed"
    changed = next(layer for layer in before["layers"] if layer["name"] == "fc6_1")
    assert changed["changes"] == ["num_output 21 → 1"] and after["layers"][changed["peer"]]["name"] == "fc6_1"


# -- in a browser


@pytest.fixture
def browse(tmp_path):
    """`browse(html, fragment)`: the page as it stands after loading, which must have gone without an error."""

    def load(text: str, fragment: str = "") -> str:
        path = tmp_path / "page.html"
        path.write_text(text)
        flags = [*FLAGS, "--enable-logging=stderr"]
        command = [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri() + fragment]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert "CONSOLE" not in done.stderr, done.stderr
        assert 'data-ready="yes"' in done.stdout and "data-error" not in done.stdout
        return done.stdout

    return load


def _results(dom: str) -> list[str]:
    listed = re.search(r'<ol id="results">(.*?)</ol>', dom, re.DOTALL)
    return [html.unescape(re.sub("<[^>]+>", "", item)).strip() for item in re.findall("<li.*?</li>", listed[1])]


def _details(dom: str) -> str:
    return html.unescape(re.sub("<[^>]+>", " ", re.search(r'<section id="details">.*?</section>', dom, re.DOTALL)[0]))


@in_chromium
def test_a_large_net_is_searched_in_the_browser(write, browse):
    text = page([analyse(write(generate("voc12/resnet101_msc_aspp")["train.prototxt"]))])
    assert len(_data(text)["nets"][0]["layers"]) > 1300
    dom = browse(text, "#search=fc1_voc12_c0")
    found = [line.split()[0] for line in _results(dom)]
    assert found[0] == "fc1_voc12_c0" and {"fc1_voc12", "fc1_voc12_c0_res05", "fc1_voc12_c0_res075"} <= set(found)
    assert "selected" in re.search(r'<g class="([^"]*)"[^>]*data-layer="fc1_voc12_c0"', dom)[1]
    assert "Convolution" in _details(dom) and re.search(r"field of view\s+128", _details(dom))


@in_chromium
def test_zoom_and_a_layer_by_the_address(write, browse):
    text = page([analyse(write(nets.net(*_NET)))])
    dom = browse(text, "#layer=bn2a_branch2a&zoom=0.25")
    assert 'data-zoom="0.250"' in dom and re.search(r'<svg id="view"[^>]*class="far very-far"', dom)
    assert "BatchNorm" in _details(dom) and re.search('class="chip selected"', dom)


@in_chromium
def test_the_differences_of_two_nets_in_the_browser(two, browse):
    dom = browse(two)
    assert [line.split()[0] for line in _results(dom)] == ["conv1", "relu1", "fc6_1", "fc6_2", "fc8", "fc7"]
    dom = browse(two, "#layer=fc6_1")
    assert "num_output 21 → 1" in _details(dom)
    assert len(re.findall(r'<g class="[^"]*\bpeer\b[^"]*"[^>]*data-layer="fc6_1"', dom)) == 1
