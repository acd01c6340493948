"""Unit cell, orientation, size and mosaicity."""
