"""The same inference with torch, on the CPU or a CUDA GPU, of several images and several w1 at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ..lattice import term_features
from ..mean_field import active_classes
from ..pairwise import POWERS
from ..params import CRFParameters
from .base import BackendOptions, Pair
from .torch_lattice import TorchLattice, build_torch_lattice


def infer(pairs: Sequence[Pair], parameters: CRFParameters, options: BackendOptions) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) for each pair of image and unary, all at once."""
    return infer_weights(pairs, parameters, [parameters.w1], options)[0]


@torch.inference_mode()
def infer_weights(
    pairs: Sequence[Pair], parameters: CRFParameters, w1s: Sequence[float], options: BackendOptions
) -> list[list[NDArray]]:
    """The result of `infer` for each of `w1s`; lattices are built once and all weights are computed side by side.

    Raises InputError for a device that is not available and for unaries with different numbers of classes.
    """
    device = _device(options.device)
    classes = {len(unary) for _, unary in pairs}
    if len(classes) > 1:
        raise InputError(f"CRF: the unaries have {' and '.join(map(str, sorted(classes)))} classes, wanted one number")
    flat = [unary.reshape(len(unary), -1) for _, unary in pairs]
    logits = torch.cat([torch.from_numpy(u).to(device).T for u in flat]).neg_()
    logits -= logits.amax(1, keepdim=True)
    kept = torch.from_numpy(_kept(flat, options.compact)).to(device)
    terms = _terms(pairs, parameters, w1s, device)
    messages = _Iteration(logits, kept, terms, len(w1s), parameters.normalization).run(parameters.iterations)
    everything = logits[:, None].repeat(1, len(w1s), 1)
    everything[:, :, kept] += messages
    shapes = [unary.shape for _, unary in pairs]
    return [_per_image(everything[:, w], shapes, options.labels) for w in range(len(w1s))]


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"CRF: device is {name!r}, wanted cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"CRF: device is {name!r}, but PyTorch sees no CUDA GPU here; use device 'cpu' or backend 'native'"
        )
    return device


def _kept(flat: Sequence[NDArray[np.float32]], compact: float) -> NDArray[np.intp]:
    """The classes that are active in any of the images."""
    if not compact:
        return np.arange(len(flat[0]))
    return np.unique(np.concatenate([active_classes(unary, compact) for unary in flat]))


def _terms(
    pairs: Sequence[Pair], parameters: CRFParameters, w1s: Sequence[float], device: torch.device
) -> list[tuple[TorchLattice, Tensor]]:
    """The lattices over all images, each with its weights (W, 1)."""
    each = [replace(parameters, w1=w1).terms() for w1 in w1s]
    found = []
    for term, *others in zip(*each, strict=True):
        features = [torch.from_numpy(term_features(term, image)).to(device) for image, _ in pairs]
        weights = torch.tensor([t.weight for t in (term, *others)], dtype=torch.float32, device=device)
        found.append((build_torch_lattice(features), weights[:, None]))
    return found


class _Iteration:
    """One mean field iteration on tensors at fixed addresses, so that CUDA can record it once and repeat it."""

    def __init__(
        self,
        logits: Tensor,
        kept: Tensor,
        terms: Sequence[tuple[TorchLattice, Tensor]],
        settings: int,
        normalization: str,
    ) -> None:
        before, after = POWERS[normalization]
        self._logits = logits[:, None, kept]
        dropped = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
        dropped[kept] = False
        # Classes that send no messages stay in the softmax, summed into one.
        self._rest = logits[:, None, dropped].logsumexp(2, keepdim=True).expand(-1, settings, -1)
        self._terms = []
        for lattice, weights in terms:
            mass = lattice.mass()
            self._terms.append((lattice, mass**before, mass[:, None] ** after * weights))
        self.messages = self._logits.new_zeros(len(logits), settings, len(kept))

    def run(self, iterations: int) -> Tensor:
        """The sum of the messages (N, W, K) to the kept classes after the given number of iterations."""
        _repeat(self._step, iterations, self.messages)
        return self.messages

    def _step(self) -> None:
        q = torch.softmax(torch.cat([self._logits + self.messages, self._rest], 2), 2)[:, :, :-1]
        rows = q.reshape(len(q), -1)
        self.messages.zero_()
        for lattice, given, taken in self._terms:
            self.messages += lattice.filtered(rows * given).view_as(self.messages) * taken


def _repeat(step: Callable[[], None], times: int, state: Tensor) -> None:
    """Run `step`, which changes only `state`, `times` times; on CUDA as a graph that is recorded once."""
    if state.device.type != "cuda" or times < 2:
        for _ in range(times):
            step()
        return
    side = torch.cuda.Stream(state.device)
    side.wait_stream(torch.cuda.current_stream(state.device))
    with torch.cuda.stream(side):
        step()  # the first call may initialize libraries, which cannot be recorded
    torch.cuda.current_stream(state.device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    for _ in range(times - 1):
        graph.replay()


def _per_image(logits: Tensor, shapes: Sequence[tuple[int, ...]], labels: bool) -> list[NDArray]:
    """Logits (N, C) of all images as each one's labels (H, W) or probabilities (C, H, W)."""
    q = torch.softmax(logits, 1)
    parts = q.split([height * width for _, height, width in shapes])
    if labels:
        kind = torch.uint8 if q.shape[1] <= 256 else torch.int32
        return [p.argmax(1).to(kind).cpu().numpy().reshape(s[1:]) for p, s in zip(parts, shapes, strict=True)]
    return [np.ascontiguousarray(p.T.cpu().numpy()).reshape(s) for p, s in zip(parts, shapes, strict=True)]
