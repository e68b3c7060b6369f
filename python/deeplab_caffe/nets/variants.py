"""The table of all variants: the rows of every family."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    attention,
    deeplab_v1,
    deeplab_v2_resnet,
    deeplab_v2_vgg,
    domain_transform,
    fcn,
    v3_table,
    weak_supervision,
)
from .variant import Variant

FAMILIES: Mapping[str, Mapping[str, Variant]] = {
    "DeepLab v1 on VGG-16": deeplab_v1.VARIANTS,
    "DeepLab v2 on VGG-16": deeplab_v2_vgg.VARIANTS,
    "DeepLab v2 on ResNet-101": deeplab_v2_resnet.VARIANTS,
    "DeepLab v3 on ResNet-50 and ResNet-101": v3_table.VARIANTS,
    "FCN": fcn.VARIANTS,
    "Weak and semi-supervised learning": weak_supervision.VARIANTS,
    "Domain transform": domain_transform.VARIANTS,
    "Attention to scale": attention.VARIANTS,
}

#: model name (the second half of `voc12/largefov`) to its row
VARIANTS: Mapping[str, Variant] = {name: row for family in FAMILIES.values() for name, row in family.items()}
