"""pycaffe's `caffe.proto.caffe_pb2`: the message classes, and the values of top-level enums."""

from ...formats.schema import NAMES

globals().update(NAMES)
__all__ = list(NAMES)
