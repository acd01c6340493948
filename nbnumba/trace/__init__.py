"""The intermediate values of one pixel."""
