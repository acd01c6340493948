"""Direction, divergence, spectrum and polarization of the incident beam."""
