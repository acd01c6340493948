"""Scattering that is not Bragg scattering."""
