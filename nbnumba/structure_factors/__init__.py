"""Reflection lists, MTZ, CIF and atomic models, up to the table that a kernel reads."""
