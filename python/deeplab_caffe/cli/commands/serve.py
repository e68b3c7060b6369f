"""`deeplab serve`: a local web page that segments photos with a trained model."""

from __future__ import annotations

import argparse
import ipaddress
import sys
import warnings
import webbrowser
from dataclasses import replace

from ...errors import InputError, stop_code
from ...nets.option_flags import flag_of
from .. import model_flags, testing_flags

_PORT = 8000
#: flags of `deeplab predict` that the page's command line has if they are stated
_MODEL_FLAGS = ("exp", "net", "weights", "stage", "dataset", "input_scale", "exif", "caffe")
#: flags without a value without which the model would not run
_SWITCHES = ("exact", "allow_python_layers", "allow_uninitialized")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "deeplab serve MODEL [--port N] [...]\n"
        "       deeplab serve --net deploy.prototxt --weights x.caffemodel [--data my.toml] [...]"
    )
    parser.description = (
        "Serve a web page on this machine that segments photos with a trained model: drop one, compare it with its "
        "labels, move the CRF's parameters. Nothing is written to the disk. Ctrl-C ends it."
    )
    text = "what --exp of `deeplab predict` names: demo, pets.deeplab"
    parser.add_argument("experiment", metavar="MODEL", nargs="?", help=text)
    model_flags.add_model(parser.add_argument_group("model"))
    _add_page(parser.add_argument_group("page"))
    model_flags.add_computation(parser)


def _add_page(group: argparse._ArgumentGroup) -> None:
    text = "address to listen on (%(default)s: this machine alone); there is no password"
    group.add_argument("--host", default="127.0.0.1", metavar="NAME", help=text)
    group.add_argument("--port", type=int, default=_PORT, metavar="N", help="0: any that is free (%(default)s)")
    group.add_argument("--open", action="store_true", help="open the page in the browser")
    text = "photos are reduced to this length of the longer side, in pixels; 0: never (%(default)s)"
    group.add_argument("--side", type=int, default=1024, metavar="N", help=text)
    text = "largest file that is taken, in MB (%(default)s)"
    group.add_argument("--max-upload", type=int, default=32, metavar="MB", help=text)


def run(arguments: argparse.Namespace) -> int:
    from PIL import Image

    from ...serving import Limits, PageServer, Service

    _check(arguments)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the page says how many pixels it takes
    with PageServer(arguments.host, arguments.port) as server:
        segmenter = model_flags.loaded(arguments, model_flags.chosen_model(arguments))
        print(model_flags.described(segmenter), flush=True)
        limits = Limits(upload=arguments.max_upload << 20, side=arguments.side)
        service = Service(segmenter, limits, tuple(_command(arguments)))
        try:
            service.warm_up()
            server.service = service
            _announce(server.address, arguments)
            server.serve_forever()
        except KeyboardInterrupt as stop:
            return stop_code(stop)
        finally:
            service.close()
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.experiment is not None and arguments.exp is not None:
        raise InputError(f"{arguments.experiment} and --exp {arguments.exp}: state one model")
    arguments.exp = arguments.exp or arguments.experiment
    if arguments.exp is None and arguments.net is None:
        raise InputError("which model? Expected MODEL: an experiment such as demo, or a bundle; or --net and --weights")
    if arguments.side < 0:
        raise InputError(f"--side: got {arguments.side}; expected a length in pixels, or 0 for none")
    if not 1 <= arguments.max_upload <= 1024:
        raise InputError(f"--max-upload: got {arguments.max_upload}; expected 1 to 1024 MB")


def _announce(address: str, arguments: argparse.Namespace) -> None:
    if not _is_loopback(arguments.host):
        print(
            f"warning: --host {arguments.host}: everybody who reaches this machine can use the page; it has no "
            "password, and photos travel unencrypted",
            file=sys.stderr,
        )
    print(f"{address} (Ctrl-C ends it)", flush=True)
    if arguments.open:
        webbrowser.open(address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _command(arguments: argparse.Namespace) -> list[str]:
    """The flags of `deeplab predict` that state the same model and protocol, and what else decides the labels."""
    testing = testing_flags.from_arguments(arguments)
    words = [word for name in _MODEL_FLAGS for word in _flag(name, getattr(arguments, name))]
    words += replace(testing, weights=None, stage=None).command_line()
    words += [] if arguments.precision == "float32" else ["--precision", arguments.precision]
    return words + [f"--{name.replace('_', '-')}" for name in _SWITCHES if getattr(arguments, name)]


def _flag(name: str, value: object) -> list[str]:
    return [] if value is None else [flag_of(name), f"{value}"]
