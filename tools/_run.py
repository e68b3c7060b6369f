"""Shared by the scripts in this folder: each runs the `deeplab` command of its own name."""

import os
import sys
from pathlib import Path


def run(script: str) -> None:
    """Run the command that a script is named after, with the project's .venv if this Python lacks the package."""
    try:
        from deeplab_caffe.cli import main
    except ModuleNotFoundError as error:
        venv = Path(script).resolve().parent.parent / ".venv"
        python = venv / "bin" / "python"
        if not python.exists() or os.path.realpath(sys.prefix) == os.path.realpath(venv):
            sys.exit(f"{script}: missing module '{error.name}'; run `make setup` to install the dependencies")
        os.execv(python, [str(python), script, *sys.argv[1:]])
    sys.argv[:1] = ["deeplab", Path(script).name]
    sys.exit(main())
