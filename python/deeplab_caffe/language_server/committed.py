"""The committed version of a file, from git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..errors import InputError

#: seconds
_PATIENCE = 20
#: git asks nobody, fetches nothing, and takes no program from a repository's settings
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


def committed_text(path: str, revision: str = "HEAD") -> str:
    """The text of a file in a revision of its git repository.

    `git cat-file blob` writes what is stored: no filter and no program of the repository's settings is run.

    Args:
        path: the file, which need not exist any more.
        revision: a commit, branch or tag.

    Raises:
        InputError: git is missing, the file is in no repository, or not in this revision; or it is not text.
    """
    git = shutil.which("git")
    if git is None:
        raise InputError(f"{path}: the program git, which knows the committed version, is missing")
    if not revision or revision.startswith("-") or ":" in revision or not revision.isprintable():
        raise InputError(f"'{revision}': expected a commit, branch or tag")
    file = Path(path)
    command = [git, "-C", str(file.parent), "-c", "core.fsmonitor=false", "cat-file", "blob"]
    try:
        done = subprocess.run(
            [*command, f"{revision}:./{file.name}"],
            capture_output=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL, env={**os.environ, **_ENVIRONMENT},
            check=False,
        )  # fmt: skip
        text = done.stdout.decode("utf-8-sig")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(f"{path}: no version in {revision}: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(f"{path}: no version in {revision}: {said[-1] if said else 'git failed'}")
    return text
