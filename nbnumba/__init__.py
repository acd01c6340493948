"""X-ray diffraction images of nanocrystals, pixel by pixel, on an absolute scale."""

__version__ = "0.1.0"
