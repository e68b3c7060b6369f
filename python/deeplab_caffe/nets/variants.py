"""The table of variants: the rows of every family, one line for each."""

from __future__ import annotations

from collections.abc import Mapping

from . import deeplab_v1, deeplab_v2_resnet, deeplab_v2_vgg, fcn, v3
from .variant import Variant

#: model name, the second half of `voc12/largefov`, to its row
VARIANTS: Mapping[str, Variant] = {
    **deeplab_v1.VARIANTS,
    **deeplab_v2_vgg.VARIANTS,
    **deeplab_v2_resnet.VARIANTS,
    **v3.VARIANTS,
    **fcn.VARIANTS,
}
