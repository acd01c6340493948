"""Experiments of the reference images of simtbx's spots."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import oracles
from numpy.typing import NDArray

from nbnumba import Experiment


@functools.cache
def reflections() -> NDArray[np.float64]:
    """Return the structure factors of all cases, rows of h, k, l, F."""
    with np.load(oracles.folder() / "spots" / "spots_hkl.npz") as data:
        F = data["F_centi"] / 100.0
    indices = np.indices(F.shape).reshape(3, -1).T - np.array(F.shape) // 2
    return np.column_stack([indices, F.reshape(-1)])


def experiment(params: dict[str, Any], **more: Any) -> Experiment:
    """Return the experiment of a case whose detector is upright, with some keywords of one's own."""
    geometry = params["geometry"]
    keywords: dict[str, Any] = {
        "A_matrix": np.array(params["Amatrix"]).reshape(3, 3).T,
        "N": [round(number) for number in geometry["Ncells_abc"]],
        "hkl": reflections(),
        "wavelength_A": geometry["wavelength_A"],
        "fluence": geometry["fluence"],
        "distance_mm": geometry["distance_mm"],
        "pix0_vector_mm": geometry["pix0_vector_mm"],
        "pixel_mm": geometry["pixel_size_mm"],
        "detpixels": geometry["detpixels_fastslow"],
        "oversample": params["oversample"],
        "interpolate": False,
    }
    return Experiment(**{**keywords, **more})
