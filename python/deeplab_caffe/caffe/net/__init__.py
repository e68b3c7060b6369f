"""A net of layers: its graph, parameters, passes, weights and log lines. Mirrors `net.cpp`."""
