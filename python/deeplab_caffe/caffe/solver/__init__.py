"""Solvers: the loop, update rules, learning rate, regularization, snapshots, log lines. Mirrors `solver.cpp`."""
