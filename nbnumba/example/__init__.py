"""Input files of the example image, and the command that renders it.

The crystal is made up: a cell like that of lysozyme and intensities from a random-number generator.
"""

from __future__ import annotations

INPUT_FILES = ("A.mat", "P1.hkl")

COMMAND = (
    "-mat A.mat -hkl P1.hkl -lambda 1 -distance 300 -pixel 0.15 -detpixels 1024 "
    "-N 16 -mosaic 0.6 -mosaic_domains 50 -oversample 2 -fluence 1e26 -seed 1 "
    "-floatfile float.bin -intfile int_0001.img -noisefile noise_0001.img -pgmfile image.pgm -pngfile image.png"
)

WRITES = {
    "float.bin": "photons per pixel, raw float32, 1024 x 1024",
    "int_0001.img": "the same, scaled to integers (SMV)",
    "noise_0001.img": "with photon noise and detector offset (SMV)",
    "image.pgm": "preview, 8 bits",
    "image.png": "preview, dark spots on white",
}
