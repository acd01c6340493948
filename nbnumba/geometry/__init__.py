"""Vectors, rotations and where the pixels of a panel lie."""
