"""Images of simtbx's add_nanoBragg_spots, which sums in float64 as `exact` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracles
import pytest
import spots_oracle
from requirements import requires

from nbnumba import simulate

_NO_POLAR = {"polarized": False}
_SPECTRUM = {"dispersion_percent": 2, "dispsteps": 5}
_DIRECTIONS = {"hdivrange_mrad": 6, "vdivrange_mrad": 6, "hdivsteps": 3, "vdivsteps": 3}
_SENSOR = {"thickness_um": 450, "attenuation_depth_um": 234, "thicksteps": 4}
_TILT = {
    "close_distance_mm": 60, "distance_mm": None, "pix0_vector_mm": None, "detector_rotation_deg": (3, -7, 5),
    "Xbeam_mm": 8.3, "Ybeam_mm": 9.7,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "square": {},
    "square_N20": {"N": 20},
    "round": {"shape": "round"},
    "gauss": {"shape": "gauss_abc"},
    "gauss_argchk": {"shape": "gauss_argchk"},
    "tophat": {"shape": "tophat_abc"},
    "polar": {"polarization": 0.9},
    "nopolar": _NO_POLAR,
    "nopolar_over2": {**_NO_POLAR, "oversample_omega": True},
    "interpolate": {"interpolate": True},
    "phi": {"phi_deg": 3, "osc_deg": 1, "phisteps": 5, "phi_sampling": "edge"},
    "dispersion": _SPECTRUM,
    "dispersion_nopolar": {**_SPECTRUM, **_NO_POLAR},
    "divergence_nopolar": {**_DIRECTIONS, **_NO_POLAR},
    "sensor_omega": {**_SENSOR, **_NO_POLAR, "oversample_omega": True, "oversample_thick": True},
    "tilt": _TILT,
}


@requires("oracles")
@pytest.mark.parametrize("name", list(CASES))
def test_the_same_image(name: str) -> None:
    params, arrays = oracles.load("spots", name)
    image, expected = simulate(spots_oracle.experiment(params, **CASES[name]), "cpu").array, arrays["raw_pixels"]
    # Half a unit of float32; and amplitudes by polynomials of 2e-11, next to a zero of which 1e-12 of the image.
    np.testing.assert_allclose(image, expected, rtol=6.5e-8, atol=1e-12 * expected.max())
