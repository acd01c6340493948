"""Input files of the example image, and the commands that render it.

The crystal is made up: a cell like that of lysozyme and intensities from a random-number generator.
"""

from __future__ import annotations

INPUT_FILES = ("A.mat", "P1.hkl")

COMMANDS = (
    "-semantics exact -mat A.mat -hkl P1.hkl -lambda 1 -distance 430 -pixel 0.15 -detpixels 1024 -osc 1.5 -phisteps 30 "
    "-N 3000 -shape gauss_abc -spread continuous -mosaic 0.4 -dispersion 0.2 -dispsteps 3 -oversample 1 "
    "-spot_cutoff 0.01 -flux 2e12 -exposure 0.3 -beamsize 0.05 -background water:0.02 -background air:1 "
    "-beamstop 3 -psf fiber -seed 1 -nopgm "
    "-floatfile float.bin -intfile int_0001.img -noisefile noise_0001.img -h5file shot_0001.h5",
    "convert noise_0001.img -o image.png -rings",
)

WRITES = {
    "float.bin": "photons per pixel, raw float32, 1024 x 1024",
    "int_0001.img": "the same, scaled to integers (SMV)",
    "noise_0001.img": "as the detector reads it: point spread, photon noise, offset (SMV)",
    "shot_0001.h5": "photons, geometry and ground truth (NXmx HDF5)",
    "image.png": "a picture of noise_0001.img",
}
