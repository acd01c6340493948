"""A slow and plain picture, written for clarity, that the engine's is compared with.

It takes `nbnumba.parameters.settings.Settings` and nothing else of nbnumba: geometry, crystal, sources, random numbers,
files and the sum are its own. Each of nanoBragg's defects is a switch of `reference.defects.Defects`.
"""

from reference.image import Picture, reference_image, reference_picture, samples_per_pixel

__all__ = ["Picture", "reference_image", "reference_picture", "samples_per_pixel"]
