"""The page in a browser, used as a person uses it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from chromium import Browser, Tab, browser, in_chromium
from deeplab_caffe import Segmenter
from deeplab_caffe.cli.main import main
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.evaluation import overlay
from serving.conftest import Client, photo

pytestmark = in_chromium
_SHOWN = "document.documentElement.dataset.shown"
_WIDTH, _HEIGHT = 120, 90


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def tab(chromium: Browser, client: Client) -> Iterator[Tab]:
    """The page, before there is a photo; nothing may have gone wrong in it at the end."""
    found = chromium.tab()
    found.open(client.server.address)
    found.until("document.documentElement.dataset.ready === 'yes'")
    yield found
    assert found.errors == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A photo, blue at the left and red at the right; its name has a space and a quote."""
    path = tmp_path / "it's mine.png"
    path.write_bytes(photo(_HEIGHT, _WIDTH))
    return path


def segment(tab: Tab, file: Path) -> None:
    tab.choose("#file", file)
    tab.until(_SHOWN)


def set_value(tab: Tab, selector: str, value: str) -> None:
    """Move a slider, or choose of a list."""
    tab.run(
        f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('input')); }})(document.querySelector({selector!r}))"
    )


def refined(tab: Tab, expected: dict[str, float]) -> None:
    """Wait until the labels of these CRF parameters are shown."""
    stated = json.dumps(expected)
    tab.until(f"Object.entries({stated}).every(([k, v]) => (JSON.parse({_SHOWN}) || {{}})[k] === v)")


def labels(tab: Tab) -> np.ndarray:
    return np.array(tab.run("Array.from(shown.labels)"), np.uint8).reshape(_HEIGHT, _WIDTH)


def picture(tab: Tab) -> np.ndarray:
    """The overlay's pixels: (H, W, 4)."""
    script = "((c) => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data))"
    return np.array(tab.run(f"{script}(byId('overlay'))"), np.uint8).reshape(_HEIGHT, _WIDTH, 4)


def saved(tab: Tab, button: str, monkey: str = "saves") -> bytes:
    """What a button saves."""
    tab.run(
        f"var {monkey} = new Promise((done) => {{ save = async (blob) => "
        "done(Array.from(new Uint8Array(await blob.arrayBuffer()))); }); 0"
    )
    tab.click(button)
    return bytes(tab.run(monkey))


def test_a_photo_is_segmented(tab: Tab, file: Path, segmenter: Segmenter) -> None:
    segment(tab, file)
    found = segmenter.predict(file)
    assert np.array_equal(labels(tab), found.labels)
    legend = tab.run("[...document.querySelectorAll('#legend label')].map((row) => row.innerText.split(/\\s*\\n\\s*/))")
    assert [name for name, _ in legend] == list(found.shares)
    assert [float(share.split()[0]) for _, share in legend] == pytest.approx(
        [100 * share for share in found.shares.values()], abs=0.51
    )
    assert tab.run("byId('sizes').textContent") == f"it's mine.png, {_WIDTH} × {_HEIGHT}"


def test_the_overlay_is_that_of_predict(tab: Tab, file: Path, segmenter: Segmenter) -> None:
    segment(tab, file)
    found = segmenter.predict(file)
    for outline in (1, 0):
        tab.run(f"byId('outline').checked === {str(bool(outline)).lower()} || byId('outline').click()")
        layer = picture(tab).astype(float)
        shown = found.image + (layer[..., :3] - found.image) * layer[..., 3:] / 255
        assert np.abs(shown - overlay(found.image, found.labels, found.palette, None, 0.55, outline, [])).max() <= 2


def test_the_border_is_moved_by_mouse_and_keyboard(tab: Tab, file: Path) -> None:
    segment(tab, file)
    x, y = tab.middle("#compare")
    tab.drag((x - 30, y), (x, y))
    at = tab.run("parseFloat(byId('stage').style.getPropertyValue('--at'))")
    assert at == pytest.approx(50, abs=2)
    tab.key("ArrowRight", 4)
    moved = tab.run("parseFloat(byId('stage').style.getPropertyValue('--at'))")
    assert moved == pytest.approx(at + 4 * 0.5, abs=0.1)
    assert tab.run("getComputedStyle(byId('overlay')).clipPath").startswith("inset(0px 0px 0px")


def test_the_crf_follows_its_sliders(tab: Tab, file: Path, segmenter: Segmenter) -> None:
    segment(tab, file)
    found = segmenter.predict(file)
    tab.click("#crf")
    tab.until(f"{_SHOWN} !== 'null'")
    for name, value in (("w1", 12), ("sigma_alpha", 9), ("sigma_beta", 40), ("w2", 0), ("sigma_gamma", 2)):
        set_value(tab, f"#{name}-slider", str(value))
        refined(tab, {name: value})
        parameters = CRFParameters(**json.loads(tab.run(_SHOWN)))
        assert np.array_equal(labels(tab), found.refined(parameters).labels)
    assert tab.run("byId('preset').value") == "own" and not np.array_equal(labels(tab), found.labels)
    tab.click("#reset")
    refined(tab, {"w1": 5, "sigma_alpha": 50})
    set_value(tab, "#preset", "DeepLab-LargeFOV")
    tab.until(f"JSON.parse({_SHOWN}).w1 === about.presets['DeepLab-LargeFOV'].w1")
    tab.click("#crf")
    tab.until(f"{_SHOWN} === 'null'")
    assert np.array_equal(labels(tab), found.labels)


def test_a_number_beyond_the_slider_may_be_typed_and_nonsense_is_not_sent(tab: Tab, file: Path) -> None:
    segment(tab, file)
    tab.click("#crf")
    set_value(tab, "#w1-value", "45.5")
    refined(tab, {"w1": 45.5})
    for text in ("", "-3"):
        set_value(tab, "#w1-value", text)
    set_value(tab, "#w2-slider", "7")
    tab.until("!computing && !wanted")
    assert json.loads(tab.run(_SHOWN))["w1"] == 45.5
    tab.run("byId('w1-value').dispatchEvent(new Event('change'))")
    assert tab.run("byId('w1-value').value") == "45.5"


def test_only_the_newest_of_many_settings_is_asked_for(tab: Tab, file: Path, client: Client) -> None:
    segment(tab, file)
    tab.click("#crf")
    move = "byId('w1-slider').value = w; byId('w1-slider').dispatchEvent(new Event('input'));"
    tab.run(f"for (let w = 1; w <= 20; w += 0.5) {{ {move} }}")
    refined(tab, {"w1": 20})
    assert tab.run("number") <= 5


def test_a_class_is_hidden_in_the_browser(tab: Tab, file: Path) -> None:
    segment(tab, file)
    tab.run("byId('outline').click()")
    where = labels(tab) == 2
    assert picture(tab)[where, 3].min() > 0
    tab.click("#legend input[data-label='2']")
    assert picture(tab)[where, 3].max() == 0 and picture(tab)[~where, 3].min() > 0
    assert tab.run("document.activeElement.dataset.label") == "2"
    tab.click("#show-all")
    assert picture(tab)[where, 3].min() > 0


def test_what_is_saved_and_the_command_that_gives_the_same(
    tab: Tab, file: Path, model_files: Path, tmp_path: Path
) -> None:
    files = {"--net": "deploy.prototxt", "--weights": "x.caffemodel", "--data": "colours.toml"}
    flags = [word for flag, name in files.items() for word in (flag, str(model_files / name))]
    tab.run(f"about.command = {json.dumps(flags)}")
    segment(tab, file)
    tab.click("#crf")
    set_value(tab, "#w1-slider", "8")
    refined(tab, {"w1": 8})
    (tmp_path / "labels.png").write_bytes(saved(tab, "#save-labels"))
    (tmp_path / "overlay.png").write_bytes(saved(tab, "#save-overlay"))
    (tmp_path / "crf.json").write_bytes(saved(tab, "#save-crf"))
    program, *words = shlex.split(tab.run("byId('command').textContent"))
    assert program == "deeplab" and words[:2] == ["predict", file.name]
    stated = CRFParameters.load(tmp_path / "crf.json")
    assert stated.w1 == 8
    words[1] = str(file)
    assert main([*words, "-o", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "labels.png") as mine, Image.open(tmp_path / "out/labels_crf" / file.name) as other:
        assert mine.getpalette() == other.getpalette() and np.array_equal(np.asarray(mine), np.asarray(other))
    (written,) = (tmp_path / "out/overlay").iterdir()
    first, second = (cv2.imread(str(path)).astype(int) for path in (tmp_path / "overlay.png", written))
    assert np.abs(first - second).max() <= 3


def test_what_is_no_photo_gets_a_message_and_the_photo_before_stays(tab: Tab, file: Path, tmp_path: Path) -> None:
    segment(tab, file)
    (tmp_path / "text.jpg").write_text("<script>alert(1)</script>")
    tab.choose("#file", tmp_path / "text.jpg")
    tab.until("byId('message').classList.contains('error')")
    assert tab.run("byId('message').textContent").startswith("text.jpg: not an image that can be read")
    assert tab.run("byId('stage').hidden") is False
    (tmp_path / "large.jpg").write_bytes(bytes(33 << 20))
    tab.choose("#file", tmp_path / "large.jpg")
    tab.until("byId('message').textContent === 'large.jpg: has 33 MB; expected at most 32 MB'")
    tab.choose("#file", file)
    tab.until("byId('message').textContent === ''")
    tab.errors[:] = [error for error in tab.errors if "status of 400" not in error]


def test_a_photo_that_the_server_forgot_is_sent_again(tab: Tab, file: Path, client: Client) -> None:
    segment(tab, file)
    assert client.server.service is not None
    client.server.service._photos._held.clear()
    tab.click("#crf")
    tab.until(f"{_SHOWN} !== 'null'")
    tab.errors[:] = [error for error in tab.errors if "status of 404" not in error]


def test_photos_are_dropped_and_pasted(tab: Tab, file: Path) -> None:
    script = f"""(kind, event, key) => {{
        const given = new DataTransfer();
        given.items.add(new File([new Uint8Array({list(file.read_bytes())})], kind));
        document.body.dispatchEvent(new event(key, {{ bubbles: true, dataTransfer: given, clipboardData: given }}));
    }}"""
    for name, event, key in (("one.png", "DragEvent", "drop"), ("two.png", "ClipboardEvent", "paste")):
        tab.run(f"({script})({name!r}, {event}, {key!r})")
        tab.until(f"byId('sizes').textContent.startsWith({name!r}) && !computing")


def test_ten_photos_at_once(tab: Tab, file: Path) -> None:
    segment(tab, file)
    found = tab.run(
        "Promise.all(Array.from({ length: 10 }, () => send(photo.file))).then((all) => all.map((one) => one.id))"
    )
    assert len(set(found)) == 10


def test_the_server_has_gone(tab: Tab, file: Path, client: Client) -> None:
    segment(tab, file)
    client.server.server_close()
    tab.click("#crf")
    tab.until("byId('message').textContent.includes('is `deeplab serve` still running')")
    tab.errors.clear()


def test_everything_can_be_reached_and_has_a_name(tab: Tab, file: Path) -> None:
    segment(tab, file)
    nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "checkbox", "slider", "spinbutton", "combobox"}
    controls = [node for node in nodes if node.get("role", {}).get("value") in wanted and not node["ignored"]]
    assert len(controls) >= 20 and all(node["name"]["value"] for node in controls)


@pytest.mark.parametrize("width", [320, 700, 1280])
def test_nothing_is_wider_than_the_screen(tab: Tab, file: Path, width: int) -> None:
    segment(tab, file)
    tab.send("Emulation.setDeviceMetricsOverride", width=width, height=700, deviceScaleFactor=1, mobile=True)
    assert tab.run("document.documentElement.scrollWidth") <= width
