"""Solvers that train together, one process each: the group, its start-up, all-reduce, pycaffe's NCCL."""
