"""Measures what nbnumba costs, alone and beside nanoBragg; see README.md."""
