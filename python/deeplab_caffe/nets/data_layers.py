"""Where a net's images come from: list files in training and testing, the caller in the deploy net."""

from __future__ import annotations

from typing import Any

from ..arrays import Size
from ..caffe.net_spec import Top, layers, params
from ..formats import schema
from .blocks import Spec
from .setting import Setting

_IGNORE = 255


def images_and_labels(
    n: Spec,
    setting: Setting,
    name: str = "data",
    label: str = "label",
    list_name: str | None = None,
    dims: bool = False,
) -> tuple[Top, Top]:
    """The ImageSegData layer: `data` (N, 3, h, w), BGR minus mean, and `label` (N, 1, h, w) of class indices.

    Training: shuffled, mirrored at random, cropped. Testing: one image, padded at the bottom and on the right.
    name: of the layer and its first top. list_name: a list of the data set, by default the role's. dims: whether
    there is a third top `<name>_dim` (N, 1, 1, 2), height and width of each image within the crop.
    """
    training = setting.is_training
    labels = params.ImageData.PIXEL if setting.has_labels else params.ImageData.NONE
    source: dict[str, Any] = {
        "source": setting.dataset.list_path(list_name or setting.list_name).as_posix(),
        "root_folder": setting.root_folder,
        "batch_size": setting.recipe.batch_size if training else 1,
        "label_type": labels,
    }
    source |= {"shuffle": True} if training else {}
    source |= {"ignore_label": setting.dataset.ignore_label} if setting.dataset.ignore_label != _IGNORE else {}
    n.section(f"images: BGR minus the mean, {_treatment(setting)}")
    tops = layers.ImageSegData(
        ntop=2 + dims,
        include={"phase": schema.TRAIN if training else schema.TEST},
        transform_param=_transform(setting),
        image_data_param=source,
    )
    for top_name, top in zip((name, label, f"{name}_dim"), tops, strict=False):
        n[top_name] = top
    return n[name], n[label]


def _treatment(setting: Setting) -> str:
    """What becomes of an image, in words."""
    if not setting.is_training:
        return "padded at the bottom and on the right up to the crop"
    mirrored = " and mirrored" if setting.recipe.mirror else ""
    return f"cropped{mirrored} at random; labels: class indices"


def _transform(setting: Setting) -> dict[str, Any]:
    """`transform_param`: mirror, crop, mean, and what the options add."""
    options = setting.options
    mirror = setting.is_training and setting.recipe.mirror
    transform: dict[str, Any] = {"mirror": mirror, "mean_value": list(setting.dataset.mean)}
    transform |= _crop(setting.size)
    transform |= {"scale": options.scale} if options.scale != 1 else {}
    if setting.is_training and setting.recipe.scale_factors:
        transform["scale_factors"] = list(setting.recipe.scale_factors)
    return transform


def _crop(size: Size) -> dict[str, int]:
    height, width = size
    return {"crop_size": height} if height == width else {"crop_height": height, "crop_width": width}


def deploy_input(n: Spec, setting: Setting, dims: bool = False) -> Top:
    """The Input layer `data` (1, 3, h, w): the caller fills in BGR minus mean (times the scale, if one was set).

    dims: whether there is an input `data_dim` (1, 1, 1, 2) as well, for height and width of the image in `data`.
    """
    blue, green, red = setting.dataset.mean
    scaled = f", times {setting.options.scale:g}" if setting.options.scale != 1 else ""
    size = "any size" if setting.sizes.stride == 1 else f"any size {setting.sizes}"
    n.section(f"image: BGR, 0-255, minus {blue:g}, {green:g}, {red:g}{scaled}; {size}")
    n["data"] = layers.Input(input_param={"shape": {"dim": [1, 3, *setting.size]}})
    if dims:
        n.section("height and width of the image, which may be smaller than `data`")
        n["data_dim"] = layers.Input(input_param={"shape": {"dim": [1, 1, 1, 2]}})
    return n["data"]
