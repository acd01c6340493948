"""What a detector does to an image: point spread, noise and conversion to numbers, with counted and with C's streams."""
