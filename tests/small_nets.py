"""Short ways to write small nets as prototxt."""

from __future__ import annotations


def image(size: str = "33x33", channels: int = 1, name: str = "data") -> str:
    """An Input layer whose top is one image of height x width."""
    height, width = size.split("x")
    shape = f"dim: 1 dim: {channels} dim: {height} dim: {width}"
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {shape} }} }} }}'


def layer(kind: str, name: str, bottoms: str, more: str = "", tops: str | None = None) -> str:
    """A layer whose top bears its name; several bottoms or tops are separated by blanks."""
    ends = [f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in (tops or name).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {more} }}'


def conv(name: str, bottom: str, more: str = "kernel_size: 3 pad: 1", outputs: int = 1) -> str:
    """A Convolution."""
    return layer("Convolution", name, bottom, f"convolution_param {{ num_output: {outputs} {more} }}")


def net(*layers: str) -> str:
    """The prototxt of those layers."""
    return "\n".join(layers) + "\n"


def blob(name: str, shape: tuple[int, ...]) -> str:
    """An Input layer with a top of that name and shape."""
    dims = " ".join(f"dim: {d}" for d in shape)
    return f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
