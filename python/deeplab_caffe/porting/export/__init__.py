"""Exports nets as the source of a PyTorch module and as ONNX, and verifies that the results are equal."""
