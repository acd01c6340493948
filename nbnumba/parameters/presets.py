"""Detectors by name: what their makers and papers say of pixels, modules, sensor and readout.

Sources
-------
Pilatus 6M: Dectris, Pilatus user manual; P. Kraft et al., J. Synchrotron Rad. 16, 368 (2009).
Eiger 9M, 16M: Dectris, Eiger X technical specification; A. Casanas et al., Acta Cryst. D72, 1036 (2016).
MX340-HS: Rayonix, in the geometry pages of LCLS; 2 x 2 binned.
Jungfrau: A. Mozzanica et al., Synchrotron Radiation News 31, 16 (2018); documentation of the European XFEL.
CS-PAD, its low gain: LCLS, CSPAD characteristics; P. Hart et al., Proc. SPIE 8504, 85040C (2012).
Silicon: J. H. Hubbell and S. M. Seltzer, NIST XAAMDI (1996).

Notes
-----
Compared with these documents, with the detectors of pyFAI (2025) and with the formats of dxtbx (2026): pixel size,
modules, gaps and image size of Pilatus, Eiger and Jungfrau 4M; the 20 bits of Pilatus; sensors of 320, 450, 320 and
500 um; pixel size of the MX340 (44.271 um before binning) and that it has no gaps; the noise (3.5 keV) and the largest
signal (2700 photons of 8 keV) of the CS-PAD's low gain.

Not found in a document of the maker: the dead time of Pilatus, which depends on its gain (headers of images state
124 ns at low and 199 ns at middle gain); readout noise, gain, offset and point spread of the MX340 (values
that are typical of fiber-coupled CCDs; J. M. Holton et al., J. Synchrotron Rad. 19, 1006 (2012) measured a Moffat
function of 27 um, a width of 41 um, on another maker's); the gaps of the Jungfrau 16M, taken to be those of the 4M;
its noise and its largest signal; the gaps of the CS-PAD, whose sensors stand in quadrants and not on a grid.
Eigers count as far as their files are wide; the largest number here is that of 16 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Preset:
    """A detector.

    Attributes
    ----------
    pixel : float [m]
    modules, module, gap : (fast, slow)
        How many modules, pixels of one, and pixels between two.
    silicon : float [m]
        Thickness of the sensor; 0: no sensor that is simulated.
    saturation : int
        Largest number of a pixel.
    readout_noise, adc : float [ADU]
    gain : float [ADU/photon]
    psf, psf_fwhm
        Kind and width [m] of the point spread; empty: none.
    dead_time : float [s]
        Of a paralyzable counter.
    """

    pixel: float
    modules: tuple[int, int]
    module: tuple[int, int]
    gap: tuple[int, int]
    silicon: float
    saturation: int
    readout_noise: float = 0.0
    gain: float = 1.0
    adc: float = 0.0
    psf: str = ""
    psf_fwhm: float = 0.0
    dead_time: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Pixels along fast and slow, gaps included."""
        fast, slow = (
            count * size + (count - 1) * gap
            for count, size, gap in zip(self.modules, self.module, self.gap, strict=True)
        )
        return fast, slow


PRESETS = {
    "pilatus6m": Preset(172e-6, (5, 12), (487, 195), (7, 17), 320e-6, 1048575, dead_time=125e-9),
    "eiger9m": Preset(75e-6, (3, 6), (1030, 514), (10, 37), 450e-6, 65533),
    "eiger16m": Preset(75e-6, (4, 8), (1030, 514), (10, 37), 450e-6, 65533),
    "mx340": Preset(88.54e-6, (1, 1), (3840, 3840), (0, 0), 0.0, 65533, 1.5, 1.0, 10.0, "fiber", 100e-6),
    "jungfrau4m": Preset(75e-6, (2, 4), (1030, 514), (8, 36), 320e-6, 10000, 0.03),
    "jungfrau16m": Preset(75e-6, (4, 8), (1030, 514), (8, 36), 320e-6, 10000, 0.03),
    "cspad": Preset(109.92e-6, (4, 8), (388, 185), (12, 12), 500e-6, 2700, 0.44),
}

# Mass attenuation of silicon, keV and cm2/g.
_SILICON = (
    (4.0, 452.9), (5.0, 245.0), (6.0, 147.0), (8.0, 64.68), (10.0, 33.89), (15.0, 10.34), (20.0, 4.464), (30.0, 1.436),
    (40.0, 0.7012), (50.0, 0.4385),
)  # fmt: skip
_SILICON_DENSITY = 2.33  # g/cm3


def silicon_attenuation(wavelength: float) -> float:
    """Attenuation of silicon [1/m] at a wavelength [m], from logarithms between the values of the table."""
    energy = min(max(12.39842e-10 / wavelength, _SILICON[0][0]), _SILICON[-1][0])
    for (low, a), (high, b) in pairwise(_SILICON):
        if energy <= high:
            part = math.log(energy / low) / math.log(high / low)
            return math.exp(math.log(a) + part * math.log(b / a)) * _SILICON_DENSITY * 100.0
    raise AssertionError("the energy lies in the table")
