"""From photons to the numbers that a detector stores."""
