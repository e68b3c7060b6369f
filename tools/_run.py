"""What the scripts beside this one share: each is the `deeplab` command of its own name."""

import os
import sys
from pathlib import Path


def run(script: str) -> None:
    """Run the command that a script is named after; by the project's .venv where this Python lacks the package."""
    try:
        from deeplab_caffe.cli import main
    except ModuleNotFoundError as error:
        venv = Path(script).resolve().parent.parent / ".venv"
        python = venv / "bin" / "python"
        if not python.exists() or os.path.realpath(sys.prefix) == os.path.realpath(venv):
            sys.exit(f"{script}: there is no module '{error.name}'; `make setup` installs what is needed")
        os.execv(python, [str(python), script, *sys.argv[1:]])
    sys.argv[:1] = ["deeplab", Path(script).name]
    sys.exit(main())
