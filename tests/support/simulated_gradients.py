"""Derivatives on the CUDA simulator, and by the processor; see tests/kernels/cuda/test_gradient.py.

`python simulated_gradients.py OUT.npz` runs on the simulator where it is switched on, else on the processor.
"""

from __future__ import annotations

import sys
from typing import Any

import numba
import numpy as np

import nbnumba
from nbnumba.render.linearize import Linearization

_INDICES = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"), -1).reshape(-1, 3)
_BASE: dict[str, Any] = {
    "cell": (25, 30, 20, 80, 95, 100), "wavelength_A": 1.0, "distance_mm": 100, "detpixels": 6, "pixel_mm": 1.6,
    "N": (4, 5, 3), "misset_deg": (10, 20, 30), "oversample": 1, "mosaic_spread_deg": 0.5, "mosaic_domains": 2,
    "hkl": np.column_stack([_INDICES, np.random.default_rng(7).uniform(10, 100, len(_INDICES))]), "fluence": 1e27,
}  # fmt: skip
_SENSOR = {"thickness_um": 450, "attenuation_depth_um": 300, "thicksteps": 2}
_PLACES = ("distance", "beam_center", "polarization")
# By all ways through the kernels.
CASES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "square": (("misset", "cell", "N", "mosaic_spread", *_PLACES, "scale", "offset"), {"shape": "square"}),
    "round": (("misset", "fudge", "wavelength"), {"shape": "round"}),
    "gauss": (("misset", "N", "B_factor"), {"shape": "gauss", "mosaic_domains": 3, "B_factor_A2": 5, "fudge": 0.1}),
    "tophat": (("scale", "polarization"), {"shape": "tophat", "fudge": 0.01}),
    "interpolated": (("misset", "N"), {"shape": "square", "N": (2, 2, 2), "interpolate": True}),
    "factors of every sample": (
        _PLACES,
        {"shape": "square", "oversample": 2, "water_um": 0.05, "oversample_thick": True, "oversample_polar": True}
        | {"oversample_omega": True, "detpixels": 3, "mosaic_domains": 1, "mosaic_spread_deg": 0}
        | _SENSOR,
    ),
    "closed form": (
        ("misset", "N", "mosaic_spread", *_PLACES, "offset"),
        {"shape": "gauss_abc", "spread": "continuous", "mosaic_spread_deg": 2} | _SENSOR,
    ),
    "beyond the reflections": (("misset", "cell", "distance", "scale"), {"shape": "square", "distance_mm": 3}),
    "region": (("misset", "scale"), {"shape": "square", "roi": (1, 4, 2, 3), "water_um": 0.05}),
}


def main(out: str) -> None:
    """Save images, derivatives, gradients and likelihoods."""
    device = 0 if numba.config.ENABLE_CUDASIM else None
    found: dict[str, Any] = {}
    for name, (names, options) in CASES.items():
        experiment = nbnumba.Experiment(**{**_BASE, **options})
        linear = Linearization(experiment.parameters(*names), None, 1, device)
        random = np.random.default_rng(3)
        found[f"{name}: image"], found[f"{name}: jacobian"] = linear.image, linear.jacobian()
        found[f"{name}: vjp"] = linear.vjp(random.normal(size=linear.shape))
        data = random.poisson(linear.image + 1.0).astype(float)
        used = random.uniform(size=linear.shape) < 0.8
        for variance in (0.0, 2.0):
            for part, value in linear.likelihood(data, used, variance)._asdict().items():
                found[f"{name}: {part} {variance:g}"] = value
    np.savez(out, **found)


if __name__ == "__main__":
    main(sys.argv[1])
