"""A CRF search of two settings in place of two hundred, for tests that take an experiment from data to report."""

from __future__ import annotations

import pytest

from deeplab_caffe.crf.search import SearchSpace
from deeplab_caffe.experiment import create

SPACE = SearchSpace(w1="4", sigma_alpha="30,50", sigma_beta="5", fine_w1="", fine_sigma_alpha="", fine_sigma_beta="")


def search_little(patch: pytest.MonkeyPatch) -> None:
    """Let the experiments of `deeplab STAGE demo`, and of published models, search these settings alone."""
    patch.setattr(create, "SearchSpace", lambda **_: SPACE)
