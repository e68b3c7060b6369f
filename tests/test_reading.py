"""Whatever a reader raises on a file is an InputError that names it; what is no plain file is refused."""

from __future__ import annotations

import os
import socket

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.data import read_image, read_label, read_list
from deeplab_caffe.data.dataset import read_dataset
from deeplab_caffe.data.score_maps import open_score_map
from deeplab_caffe.errors import InputError, Stopped
from deeplab_caffe.evaluation import log_tables, read_train_log
from deeplab_caffe.evaluation.train_log import parse_train_log
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.tree import PrototxtError
from deeplab_caffe.formats.weight_files import read_weight_file
from deeplab_caffe.porting.state_dict import read_any
from deeplab_caffe.reading import decoding, read_json, read_text, read_toml, reading


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError) and issubclass(InputError, RuntimeError)


@pytest.mark.parametrize("error", [KeyError("a"), RecursionError(), MemoryError(), ZeroDivisionError("x"), EOFError()])
def test_any_exception_names_the_file(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.bin: damaged: \S") as raised, reading(path):
        raise error
    assert raised.value.__cause__ is error


def test_what_is_in_memory_is_named_without_an_address():
    with pytest.raises(InputError, match=r"^photo: damaged: cannot identify image file$"), decoding("photo"):
        raise OSError("cannot identify image file <_io.BytesIO object at 0x7f00dead>")


def test_complete_messages_and_stops_pass(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    for error in (InputError("complete"), Stopped("stopped")):
        with pytest.raises(type(error)) as raised, reading(tmp_path / "a"):
            raise error
        assert raised.value is error


READERS = [read_image, read_label, read_list, read_dataset, read_train_log, read_weight_file, read_any, Document.read]


@pytest.mark.parametrize("reader", [*READERS, open_score_map], ids=lambda r: r.__qualname__)
def test_pipes_devices_and_sockets_are_refused(tmp_path, reader):
    """Reading them may never end."""
    suffix = ".npy" if reader is open_score_map else ""
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / f"socket{suffix}"))
    for name, what in (("pipe", "a named pipe"), ("device", "a device"), ("socket", "a socket")):
        with pytest.raises(InputError, match=f"{name}{suffix}: is {what}; expected a plain file"):
            reader(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("reader", [*READERS, open_score_map], ids=lambda r: r.__qualname__)
def test_a_nul_in_a_name(reader):
    with pytest.raises(InputError, match=r"'a\\x00b(\.npy)?': not a possible name of a file"):
        reader("a\0b.npy" if reader is open_score_map else "a\0b")


def test_a_prototxt_keeps_its_kind_of_error(tmp_path):
    os.mkfifo(tmp_path / "net.prototxt")
    with pytest.raises(PrototxtError, match="is a named pipe"):
        Document.read(tmp_path / "net.prototxt")


@pytest.mark.parametrize("text", [b"\xff", b"[" * 100_000, b"1" * 5000 + b"x", b"{"])
def test_texts_that_are_not_what_they_should_be(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text)
    for read, what in ((read_json, "not valid JSON"), (read_toml, "not valid TOML")):
        with pytest.raises(InputError, match=rf"a\.json: {what}: ."):
            read(tmp_path / "a.json")


def test_text_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa")
    assert read_text(tmp_path / "a.txt") == "a"


def test_numbers_of_thousands_of_digits(tmp_path):
    (tmp_path / "d.toml").write_text(f"ignore_label = {'9' * 5000}")
    with pytest.raises(InputError, match=r"d\.toml: not valid TOML"):
        read_dataset(tmp_path / "d.toml")


def test_a_log_that_steps_back_behind_everything():
    log = parse_train_log(
        "I0101 12:00:00.0 1 s.cpp:1] Iteration 20, loss = 1\nI0101 12:00:00.0 1 s.cpp:1] Iteration 0, Testing net\n"
    )
    assert log.columns == {} and parse_train_log(f"Iteration {'9' * 5000}, loss = 1\n").columns == {}
    log = parse_train_log("Iteration 20, loss = 1\nIteration 20, lr = 1\nIteration 10, loss = 2\n")
    assert log.columns == {"loss": {10: 2.0}} and "loss" in log_tables.summary([("a", log)])


def test_a_zero_byte_in_a_path_that_is_written(tmp_path, capsys):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { } } }'
    )
    text = f'net: "{tmp_path}/net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "a\\000b"'
    (tmp_path / "solver.prototxt").write_text(text)
    assert main(["caffe", "train", f"--solver={tmp_path}/solver.prototxt"]) == 2
    assert "the path of a file contains a zero byte" in capsys.readouterr().err


def test_too_little_memory_is_one_line(monkeypatch, capsys, tmp_path):
    def hungry(self, *_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    (tmp_path / "a.log").write_text("x")
    monkeypatch.setattr("deeplab_caffe.evaluation.read_train_log", hungry)
    assert main(["log", str(tmp_path / "a.log")]) == 2
    assert capsys.readouterr().err.startswith("deeplab: error: out of memory: DefaultCPUAllocator")
