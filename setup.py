"""What pyproject.toml cannot say of the build: the files that are copied into the package, and the README's links.

The wheel works without the repository: what commands read of it (descriptions of data sets, the list of known weights,
our results, the page of lint's rules) is copied to `deeplab_caffe/packaged/`, where `deeplab_caffe/package_files.py`
finds it. In a clone, and in an editable installation, the files of the repository itself are read, and nothing is
copied.
"""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PACKAGED = [
    *sorted(ROOT.glob("datasets/*.toml")), ROOT / "models/weights.toml", ROOT / "docs/results.toml",
    ROOT / "docs/lint-rules.md",
]  # fmt: skip
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?:)([^)\s]+)\)")


class BuildWithPackagedFiles(build_py):
    """build_py, and the files that lie outside of the package's folder."""

    def run(self):
        if not self.editable_mode:
            for package in ("deeplab_caffe", "deeplab_layers"):  # modules of an earlier build that are gone by now
                shutil.rmtree(Path(self.build_lib, package), ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for file, copy in self._copies():
                self.mkpath(str(copy.parent))
                self.copy_file(str(file), str(copy))

    def get_outputs(self, include_bytecode=True):
        copies = [] if self.editable_mode else [str(copy) for _, copy in self._copies()]
        return [*super().get_outputs(include_bytecode), *copies]

    def _copies(self):
        folder = Path(self.build_lib, "deeplab_caffe", "packaged")
        return [(file, folder / file.relative_to(ROOT)) for file in PACKAGED]


def readme(text, repository=None):
    """The README as it is shown outside of the repository.

    Args:
        text: Markdown with links relative to the repository.
        repository: address that relative links are below; None: links become their text, and pictures their caption.
    """
    if repository:
        text = _PICTURE.sub(rf"![\1]({repository}/raw/HEAD/\2)", text)
        return _LINK.sub(rf"[\1]({repository}/blob/HEAD/\2)", text)
    text = _PICTURE.sub(r"*Picture: \1.*", text)
    return _LINK.sub(lambda link: link[1] if link[1] == link[2] else f"{link[1]} ({link[2]})", text)


def _repository():
    """The address in pyproject.toml's urls, if there is one."""
    stated = re.search(r'^"?Repository"? = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    return stated[1] if stated else None


if __name__ == "__main__":
    setup(
        cmdclass={"build_py": BuildWithPackagedFiles},
        long_description=readme((ROOT / "README.md").read_text(encoding="utf-8"), _repository()),
        long_description_content_type="text/markdown",
    )
