"""The input of a net: images of a list in training and testing, an image of the caller in the deploy net."""

from __future__ import annotations

from typing import Any

from ..arrays import Size
from ..caffe.net_spec import Top, layers, params
from ..formats import schema
from .blocks import Spec
from .net_context import NetContext

_IGNORE = 255


def images_and_labels(
    n: Spec,
    context: NetContext,
    name: str = "data",
    label: str = "label",
    list_name: str | None = None,
    dims: bool = False,
) -> tuple[Top, Top]:
    """The ImageSegData layer: `data` (N, 3, h, w), BGR minus mean, and `label` (N, 1, h, w) of class indices.

    Training: shuffled, mirrored at random, cropped. Testing: one image, padded at the bottom and on the right.

    Args:
        n: the net.
        context: what the net is written for.
        name: name of the layer and of its first top.
        label: name of the second top.
        list_name: a list of the data set; by default that of the role.
        dims: whether there is a third top `<name>_dim` (N, 1, 1, 2), height and width of each image within the crop.

    Returns:
        The tops `<name>` and `<label>`.
    """
    training = context.is_training
    labels = params.ImageData.PIXEL if context.has_labels else params.ImageData.NONE
    source: dict[str, Any] = {
        "source": context.dataset.list_path(list_name or context.list_name).as_posix(),
        "root_folder": context.root_folder,
        "batch_size": context.recipe.batch_size if training else 1,
        "label_type": labels,
    }
    source |= {"apply_exif": True} if context.dataset.upright else {}
    source |= {"shuffle": True} if training else {}
    source |= {"ignore_label": context.dataset.ignore_label} if context.dataset.ignore_label != _IGNORE else {}
    n.section(f"images: BGR minus the mean, {_treatment(context)}")
    tops = layers.ImageSegData(
        ntop=2 + dims,
        include={"phase": schema.TRAIN if training else schema.TEST},
        transform_param=_transform(context),
        image_data_param=source,
    )
    for top_name, top in zip((name, label, f"{name}_dim"), tops, strict=False):
        n[top_name] = top
    return n[name], n[label]


def _treatment(context: NetContext) -> str:
    """How an image is fitted into the input, in words."""
    if not context.is_training:
        return "padded at the bottom and on the right up to the crop"
    mirrored = " and mirrored" if context.recipe.mirror else ""
    return f"cropped{mirrored} at random; labels: class indices"


def _transform(context: NetContext) -> dict[str, Any]:
    """`transform_param`: mirror, crop, mean, and what the options add."""
    mirror = context.is_training and context.recipe.mirror
    transform: dict[str, Any] = {"mirror": mirror, "mean_value": list(context.dataset.mean)}
    transform |= _crop(context.size)
    transform |= {"scale": context.scale} if context.scale != 1 else {}
    if context.is_training and context.recipe.scale_factors:
        transform["scale_factors"] = list(context.recipe.scale_factors)
    return transform


def _crop(size: Size) -> dict[str, int]:
    height, width = size
    return {"crop_size": height} if height == width else {"crop_height": height, "crop_width": width}


def deploy_input(n: Spec, context: NetContext, dims: bool = False) -> Top:
    """The Input layer `data` (1, 3, h, w): the caller fills in BGR minus mean (times the scale, if there is one).

    dims: whether there is a second input `data_dim` (1, 1, 1, 2), height and width of the image in `data`.
    """
    blue, green, red = context.dataset.mean
    scaled = f", times {context.scale:g}" if context.scale != 1 else ""
    size = "any size" if context.sizes.stride == 1 else f"any size {context.sizes}"
    n.section(f"image: BGR, 0-255, minus {blue:g}, {green:g}, {red:g}{scaled}; {size}")
    n["data"] = layers.Input(input_param={"shape": {"dim": [1, 3, *context.size]}})
    if dims:
        n.section("height and width of the image, which may be smaller than `data`")
        n["data_dim"] = layers.Input(input_param={"shape": {"dim": [1, 1, 1, 2]}})
    return n["data"]
