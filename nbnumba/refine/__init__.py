"""Experiments refined against images."""
