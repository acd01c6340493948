"""What a detector does to an image: point spread, noise and conversion to numbers."""
