"""DeepLab v2 on VGG-16 (arXiv 1606.00915, Tables 2 and 3): learning policies of LargeFOV, and ASPP."""

from __future__ import annotations

from .deeplab_v1 import large_fov
from .solvers import POLY_V2
from .variant import Score, Variant

VARIANTS = {
    "largefov": Variant(
        title="DeepLab-LargeFOV, trained as in DeepLab v2",
        build=large_fov,
        recipes=(POLY_V2, POLY_V2),
        source="DeepLab v2 (arXiv 1606.00915), Table 2: poly, batch 10, 20K iterations",
        parameters=20_505_429,
        field_of_view=224,
        published=(Score(65.88, confirmed=False),),
        crf="DeepLab-LargeFOV",
    ),
}
