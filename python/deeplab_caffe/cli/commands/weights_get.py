"""`deeplab weights get`: lists and downloads known weight files."""

from __future__ import annotations

import argparse

from ...porting.manifest import fetch, look_up, read_manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="file to download; default: list all")
    parser.add_argument("--folder", default="models", help="target folder (%(default)s)")
    parser.add_argument("--mirror", help="URL or folder to try first (default: DEEPLAB_MIRROR)")
    parser.add_argument("--manifest", default="models/weights.toml", help="the list of known files (%(default)s)")


def run(arguments: argparse.Namespace) -> None:
    manifest = read_manifest(arguments.manifest)
    if arguments.name is None:
        print("\n\n".join(map(str, manifest.values())))
        return
    entry = look_up(manifest, arguments.name)
    path = fetch(entry, arguments.folder, arguments.mirror)
    print(f"{path}\n{entry}")
