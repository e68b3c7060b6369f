"""The two phases."""

TRAIN, TEST = 0, 1
