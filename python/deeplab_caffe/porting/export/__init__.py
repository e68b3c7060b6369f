"""Nets out of Caffe: as the source of a PyTorch module, and as ONNX, each with a proof that it computes the same."""
