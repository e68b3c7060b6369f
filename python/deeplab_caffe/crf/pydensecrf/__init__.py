"""The modules `densecrf` and `utils` of the package pydensecrf, on this package's own inference."""
