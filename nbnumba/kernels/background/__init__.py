"""Scattering by amorphous material: the sum over a pixel, the curve it looks up, and the threads that draw it."""
