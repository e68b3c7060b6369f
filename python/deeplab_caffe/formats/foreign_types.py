"""Layer types of other Caffes (SSD's, R-CNN's, FlowNet's …), which this package does not have: type → where it is from.

A message about such a type says so, instead of suggesting a type of ours whose name looks alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..spelling import did_you_mean
from .layer_facts import LAYER_FACTS

_CAFFES = {
    "SSD": "DetectionEvaluate",
    "SSD or 3-D networks": "VideoData",
    "R-FCN": "BoxAnnotatorOHEM SoftmaxWithLossOHEM SmoothL1LossOHEM",
    "MNC": "MaskPooling MaskResize ROIWarping ROIWarpingTest",
    "Mask R-CNN": "ROIAlignment",
    "FlowNet": "BlackAugmentation ChannelNorm Correlation Correlation1D CustomData DataAugmentation Downsample "
    "FloWriter FlowAugmentation FlowWarp GenerateAugmentationParameters ImgWriter L1Loss LpqLoss Mean Resample",
    "OpenPose": "CPMData ImResize Nms",
    "YOLO": "EvalDetection RegionLoss YoloSeg Yolov3 Yolov3DetectionOutput",
    "CReLU": "CReLU",
    "SphereFace": "MarginInnerProduct",
    "AM-Softmax": "LabelSpecificAdd",
    "NormFace": "GeneralContrastiveLoss GeneralTripletLoss InnerDistance",
    "center loss": "CenterLoss",
    "FaceNet": "TripletLoss",
    "CTC": "CTCDecoder CTCGreedyDecoder CTCLoss WarpCTCLoss CtcDecoder WarpCTC",
    "spatial transformer networks": "SpatialTransformer",
    "3-D networks": "Convolution3D Deconvolution3D NdConvolution NdPooling Pooling3D VolumeData",
    "C-LSTM": "Lstm Reverse Transpose",
    "focal loss": "FocalLoss FocalLossSoftmax SoftmaxWithFocalLoss",
    "NVIDIA's Caffe": "Axpby DetectNetTransformation L1LossNV",
    "RetinaNet": "SigmoidCrossEntropyFocalLoss",
    "Ristretto": "ConvolutionRistretto DeconvolutionRistretto FcRistretto LRNRistretto",
    "several other Caffes": "BilinearInterpolation Cosine Flip Gather Local Maxout MaskLayer Noise Resize RReLU "
    "ROIPool SELU Select Sort Square Sqrt WeightedSoftmaxWithLoss",
}
#: type → the Caffe that has it
FOREIGN_TYPES: Mapping[str, str] = {name: caffe for caffe, names in _CAFFES.items() for name in names.split()}


#: a type in capitals without separators, as it was in 2014 → the types of today or of another Caffe that it may be
_BY_OLD_WORD = {name.upper(): name for name in (*FOREIGN_TYPES, *LAYER_FACTS)}


def today_of(old_type: str) -> str:
    """The name today of a type that an enum of 2014 lacks: `UNPOOLING` is Unpooling; itself if none is known.

    Example:
        >>> today_of("CONVOLUTION3D"), today_of("BATCH_NORM"), today_of("FOO_BAR")
        ('Convolution3D', 'BatchNorm', 'FOO_BAR')
    """
    return _BY_OLD_WORD.get(old_type.replace("_", "").upper(), old_type)


def about_old(old_type: str, known: Iterable[str]) -> str:
    """What is known of a type that the enum of 2014, with the `known` types, lacks, as the end of a message."""
    today = today_of(old_type)
    if today in LAYER_FACTS:
        return f" (BVLC's enum of 2014 lacks it; today it is called {today})"
    return about(today) if today in FOREIGN_TYPES else did_you_mean(old_type, known)


def is_known(layer_type: str) -> bool:
    """Whether this package has a layer type; a name with a template variable may be any type."""
    return layer_type in LAYER_FACTS or "${" in layer_type


def about(layer_type: str) -> str:
    """What is known of a type that this package does not have, as the end of a message; may be empty.

    Example:
        >>> about("VideoData"), about("Convolutoin")
        (' (a layer of the Caffe of SSD or 3-D networks)', "; did you mean 'Convolution'?")
    """
    caffe = FOREIGN_TYPES.get(layer_type)
    if caffe is None:
        return did_you_mean(layer_type, LAYER_FACTS)
    return f" (a layer of {caffe if 'Caffe' in caffe else f'the Caffe of {caffe}'})"
