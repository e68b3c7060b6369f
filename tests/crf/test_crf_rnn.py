"""CRFRNN: begins as the CRF of its parameters, has gradients, learns, refuses what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe.crf import CRFRNN, CRFParameters, dense_crf
from deeplab_caffe.errors import InputError

_RNG = np.random.default_rng(0)
_IMAGE = _RNG.uniform(0, 255, (2, 3, 7, 6)).astype(np.float32)
_SCORES = _RNG.normal(0, 2, (2, 4, 7, 6)).astype(np.float32)


def _parameters(normalization: str = "after", iterations: int = 5) -> CRFParameters:
    return CRFParameters(2, 8, 40, 1, 2, iterations=iterations, normalization=normalization)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_it_begins_as_the_crf_of_its_parameters(normalization):
    parameters = _parameters(normalization)
    with torch.no_grad():
        found = torch.softmax(CRFRNN(4, parameters)(torch.from_numpy(_SCORES), torch.from_numpy(_IMAGE)), 1).numpy()
    for scores, image, q in zip(_SCORES, _IMAGE, found, strict=True):
        expected = dense_crf(np.ascontiguousarray(image.transpose(1, 2, 0)), -scores, parameters)
        np.testing.assert_allclose(q, expected, atol=2e-5)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_gradients_are_those_of_finite_differences(normalization):
    torch.manual_seed(0)
    crf = CRFRNN(2, _parameters(normalization, iterations=2)).double()
    with torch.no_grad():
        for weights in crf.parameters():
            weights += 0.3 * torch.randn_like(weights)
    image = torch.from_numpy(_IMAGE[:1, :, :4, :3])
    names = ["spatial", "bilateral", "compatibility"]

    def refined(scores, *weights):
        return torch.func.functional_call(crf, dict(zip(names, weights, strict=True)), (scores, image))

    scores = torch.from_numpy(_SCORES[:1, :2, :4, :3]).double().requires_grad_()
    assert torch.autograd.gradcheck(refined, (scores, *(getattr(crf, name) for name in names)))


def test_it_learns():
    """Halves under noise, which weak weights leave there."""
    labels = torch.from_numpy((np.indices((8, 8))[1] > 3).astype(np.int64))[None]
    scores = torch.nn.functional.one_hot(labels, 2).permute(0, 3, 1, 2).float()
    noisy = scores + torch.from_numpy(np.random.default_rng(1).normal(0, 2, scores.shape)).float()
    image = 200 * labels[:, None].float().expand(1, 3, 8, 8)
    crf = CRFRNN(2, CRFParameters(0.1, 8, 40, 0.1, 1, iterations=3))
    update = torch.optim.Adam(crf.parameters(), 0.1)
    losses = []
    for _ in range(40):
        update.zero_grad()
        loss = torch.nn.functional.cross_entropy(crf(noisy, image), labels)
        loss.backward()
        update.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


def test_it_is_saved_and_loaded():
    one, other = CRFRNN(4, _parameters()), CRFRNN(4, _parameters())
    with torch.no_grad():
        one.compatibility += 1
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.compatibility, one.compatibility)


@pytest.mark.parametrize(
    ("scores", "image", "message"),
    [
        ((2, 3, 7, 6), (2, 3, 7, 6), r"scores \(2, 3, 7, 6\), wanted \(N, 4, H, W\)"),
        ((2, 4, 7, 6), (2, 3, 7, 5), r"image \(2, 3, 7, 5\), wanted \(2, 3, 7, 6\)"),
    ],
)
def test_shapes_that_do_not_fit(scores, image, message):
    with pytest.raises(InputError, match=message):
        CRFRNN(4, _parameters())(torch.zeros(scores), torch.zeros(image))


def test_values_that_make_no_sense():
    with pytest.raises(InputError, match="NaN or infinite"):
        CRFRNN(4, _parameters())(torch.zeros(1, 4, 2, 2), torch.full((1, 3, 2, 2), torch.nan))
    with pytest.raises(InputError, match="iterations is 0"):
        CRFRNN(4, _parameters(iterations=0))
    with pytest.raises(InputError, match="1 classes"):
        CRFRNN(1, _parameters())
