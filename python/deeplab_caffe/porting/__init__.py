"""Weights between nets and frameworks: what a file holds, what of it fits a net, and how it gets there."""
