"""Weights between nets and frameworks: what a file contains, what of it fits a net, and how it is converted."""
