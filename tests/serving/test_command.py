"""`deeplab serve` as a command: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from deeplab_caffe.cli.main import main
from deeplab_caffe.serving import PageServer


@pytest.fixture
def flags(model_files: Path) -> list[str]:
    files = {"--net": "deploy.prototxt", "--weights": "x.caffemodel", "--data": "colours.toml"}
    return [word for flag, name in files.items() for word in (flag, str(model_files / name))]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[PageServer]:
    """The servers of commands that Ctrl-C ends as soon as they serve."""
    found: list[PageServer] = []

    def serve(server: PageServer) -> None:
        found.append(server)
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "serve_forever", serve)
    return found


def test_it_prints_its_address_and_ends_quietly(flags, interrupted, capsys):
    assert main(["serve", *flags, "--port", "0"]) == 130
    printed = capsys.readouterr()
    assert re.search(r"^http://127\.0\.0\.1:[1-9]\d*/ \(Ctrl-C ends it\)$", printed.out, re.MULTILINE)
    compiling = re.compile("compiling loops .*\n")  # said once in the life of a cache
    assert compiling.sub("", printed.err) == ""


def test_the_command_line_of_the_page_has_the_same_protocol(flags, interrupted):
    stated = ["--exif", "ignore", "--scales", "0.5,1", "--flip", "--precision", "bf16", "--allow-uninitialized"]
    main(["serve", *flags, "--port", "0", *stated])
    said = interrupted[0].service.about()
    assert list(said["command"]) == [*flags, *stated]
    assert said["protocol"] == "scales 0.5, 1; mirrored too"
    assert main(["predict", "no.jpg", *said["command"]]) == 2  # understood: it is the image that is missing


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.2", False), ("localhost", False)])
def test_others_than_this_machine_may_come_in_only_with_a_warning(flags, interrupted, capsys, host, warned):
    main(["serve", *flags, "--port", "0", "--host", host])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == warned and all(f"--host {host}: everybody who reaches this machine" in line for line in lines)


def test_a_port_in_use_is_one_line(flags, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", *flags, "--port", str(taken.getsockname()[1])]) == 2
    assert re.search(r"--port \d+: is in use; state another one, or 0 for any that is free\n$", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which model?"),
        (["a", "--exp", "b"], "a and --exp b: state one model"),
        (["no/such/experiment"], "no/such/experiment"),
        (["demo", "--net", "x.prototxt"], "which model?"),
        (["demo", "--max-upload", "0"], "--max-upload: got 0; expected 1 to 1024 MB"),
        (["demo", "--side", "-1"], "--side: got -1"),
        (["demo", "--scales", "x"], "--scales: got 'x'"),
    ],
)
def test_what_cannot_be_served(words, message, capsys):
    assert main(["serve", *words, "--port", "0"]) == 2
    assert message in capsys.readouterr().err


def test_a_signal_ends_it(flags):
    command = [sys.executable, "-m", "deeplab_caffe.cli", "serve", *flags, "--port", "0"]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    how["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background ignore it
    with subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **how) as process:
        lines = iter(process.stdout.readline, "")
        address = next(line.split()[0] for line in lines if line.startswith("http://"))
        with urllib.request.urlopen(address) as page:
            assert b"<title>deeplab" in page.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130 and process.stderr.read() == ""
