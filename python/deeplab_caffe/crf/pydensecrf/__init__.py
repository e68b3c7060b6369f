"""The modules `densecrf` and `utils` of the package pydensecrf, with this package's own inference."""
