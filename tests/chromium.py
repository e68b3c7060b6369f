"""A headless Chromium that tests drive as a person would: by its DevTools protocol, over two pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
#: of every start
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1280,900",
)
_TIMEOUT = 60.0


class Tab:
    """A page in the browser. `errors`: what it wrote to its console, and exceptions that nothing caught."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.errors: list[str] = []
        browser.tabs[session] = self
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        return self._browser.send(method, self._session, **params)

    def run(self, script: str) -> Any:
        """The value of an expression, which may be a promise."""
        done = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def open(self, address: str) -> None:
        """Go to an address, and wait until the page and its scripts are loaded."""
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def until(self, condition: str) -> Any:
        """Wait until an expression is true; its value."""
        end = time.monotonic() + _TIMEOUT
        while not (value := self.run(condition)):
            assert time.monotonic() < end, f"{condition} is still {value!r}; the console says {self.errors}"
            time.sleep(0.02)
        return value

    def choose(self, selector: str, *paths: Path) -> None:
        """Choose files in an input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path.resolve()) for path in paths])

    def key(self, name: str, times: int = 1) -> None:
        """Press a key of the keyboard, such as ArrowRight."""
        code = {"ArrowLeft": 37, "ArrowRight": 39, "Space": 32, "Tab": 9}[name]
        text = {"text": " ", "key": " "} if name == "Space" else {"key": name}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.send("Input.dispatchKeyEvent", type=kind, code=name, windowsVirtualKeyCode=code, **text)

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        x, y = self.middle(selector)
        self.drag((x, y), (x, y))

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at a place, move it, and let go."""
        button: dict[str, Any] = {"button": "left", "clickCount": 1}
        for kind, (x, y) in (("mousePressed", begin), ("mouseMoved", end), ("mouseReleased", end)):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=1, **button)

    def middle(self, selector: str) -> tuple[float, float]:
        """The middle of an element, which is scrolled into view."""
        script = (
            "e.scrollIntoView({block: 'center'}); b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
        )
        x, y, width, height = self.run(f"((e, b) => {{ {script} }})(document.querySelector({selector!r}))")
        return x + width / 2, y + height / 2

    def screenshot(self, path: Path, width: int, height: int, dark: bool = False) -> None:
        """Write a picture of the page at a size."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        time.sleep(0.3)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


class Browser:
    """The process, and the protocol: messages in JSON, each with a zero byte at its end."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._rest, self._number = b"", 0
        self.tabs: dict[str, Tab] = {}

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        text = json.dumps(message if session is None else {**message, "sessionId": session})
        os.write(self._write, text.encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def tab(self) -> Tab:
        """A new page, with cookies and so on of its own."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        return Tab(self, self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], _TIMEOUT)
            assert ready, "Chromium does not answer"
            part = os.read(self._read, 1 << 16)
            assert part, "Chromium has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        tab, params = self.tabs.get(event.get("sessionId", "")), event.get("params", {})
        if tab is None:
            return
        if event["method"] == "Runtime.exceptionThrown":
            tab.errors.append(str(params["exceptionDetails"]))
        elif event["method"] == "Runtime.consoleAPICalled":
            tab.errors.append(str(params["args"]))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            tab.errors.append(params["entry"]["text"])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A running Chromium whose files are in a folder."""
    assert CHROMIUM is not None
    (to_read, write), (read, to_write) = os.pipe(), os.pipe()
    command = " ".join([CHROMIUM, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir='{profile}'"])
    script = f"exec {command} 3<&{to_read} 4>&{to_write} 2>/dev/null"
    process = subprocess.Popen(["/bin/bash", "-c", script], pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL)
    os.close(to_read)
    os.close(to_write)
    try:
        found = Browser(read, write)
        yield found
        found.send("Browser.close")
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)
