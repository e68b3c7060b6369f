"""Which known words are suggested for one that is not known, and which are not."""

from __future__ import annotations

import pytest

from deeplab_caffe.formats.foreign_types import FOREIGN_TYPES, about
from deeplab_caffe.formats.layer_facts import LAYER_FACTS
from deeplab_caffe.formats.schema import NAMES
from deeplab_caffe.spelling import nearest_fields, nearest_word

_FIELDS = [field.name for field in NAMES["LayerParameter"].DESCRIPTOR.fields]
#: fields of other Caffes' layers and messages
_FOREIGN_FIELDS = [
    "detection_evaluate_param", "video_data_param", "mask_pooling_param",
    "box_annotator_ohem_param", "correlation_param", "flow_warp_param", "resample_param", "l1_loss_param",
    "mean_param", "augmentation_param", "coeff_schedule_param", "writer_param",
    "region_loss_param", "axpy_param", "center_loss_param",
    "margin_inner_product_param", "triplet_loss_param", "ctc_loss_param", "warp_ctc_param", "st_param",
    "focal_loss_param", "lstm_param", "transpose_param", "reverse_param", "maxout_param", "local_param",
    "noise_param", "resize_param", "select_param", "relu6_param", "quantization_param",
    "rnn_param", "depthwise_convolution_param",
]  # fmt: skip


@pytest.mark.parametrize("name", _FOREIGN_FIELDS)
def test_a_field_of_another_caffe_is_not_taken_for_one_of_ours(name: str) -> None:
    assert name not in _FIELDS and nearest_fields(name, _FIELDS) in ([], ["relu_param"])


@pytest.mark.parametrize("name", ["pad_t", "pad_l", "kernel_d", "stride_d", "pad_type", "dilated", "mode"])
def test_another_axis_is_no_misspelling(name: str) -> None:
    assert nearest_fields(name, [f.name for f in NAMES["ConvolutionParameter"].DESCRIPTOR.fields]) == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [("kernal_size", "kernel_size"), ("kernelsize", "kernel_size"), ("num_outputs", "num_output"), ("naem", "name"),
     ("padd", "pad"), ("weight_fillr", "weight_filler"), ("dilaton", "dilation"), ("Kernel_Size", "kernel_size")],
)  # fmt: skip
def test_a_misspelled_field_has_its_name_suggested(word: str, meant: str) -> None:
    fields = [f.name for f in NAMES["ConvolutionParameter"].DESCRIPTOR.fields]
    assert nearest_fields(word, [*fields, "name"])[:1] == [meant]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("relu", "ReLU"), ("Poolign", "Pooling"), ("Convolutoin", "Convolution"), ("Dropuot", "Dropout"),
     ("Pooling3D", None), ("VideoData", None), ("ROIWarping", None), ("Resize", None),
     ("x", None)],
)  # fmt: skip
def test_types(word: str, meant: str | None) -> None:
    assert nearest_word(word, LAYER_FACTS) == meant


def test_a_type_of_another_caffe_is_named_for_it() -> None:
    assert not set(FOREIGN_TYPES) & set(LAYER_FACTS)
    assert about("VideoData") == " (a layer of the Caffe of SSD or 3-D networks)"
    assert all("did you mean" not in about(name) for name in FOREIGN_TYPES)
    assert about("Nothing") == "" and about("Softmx") == "; did you mean 'Softmax'?"
