"""The committed nets, run by the embedded Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe

PROTOTXT = Path(__file__).parent.parent.parent / "prototxt"


@pytest.mark.parametrize("model", ["largefov", "largefov_v1"])
def test_deploy_net_has_the_papers_size_and_scores_at_image_resolution(model: str) -> None:
    net = caffe.Net(str(PROTOTXT / "voc12" / model / "deploy.prototxt"), caffe.TEST)
    count = sum(blob.count for blobs in net.params.values() for blob in blobs)
    assert count == 20_505_429  # "20.5M", Table 1 of DeepLab v1
    net.blobs["data"].reshape(1, 3, 65, 97)
    net.blobs["data"].data[...] = np.random.default_rng(0).normal(0, 50, (1, 3, 65, 97))
    assert net.forward()["fc8_interp"].shape == (1, 21, 65, 97)
    assert net.blobs["fc8_voc12"].shape == (1, 21, 9, 13)
