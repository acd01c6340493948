"""Whether the search for the sample that switches interpolation off can be left out."""

from __future__ import annotations

import numpy as np

from .scene import FLAT, Scene


def may_trip(scene: Scene) -> bool:
    """Tell whether any scattering vector of the panel can reach the edge of the table.

    The directions within an angle of the beam form a cone; a flat panel lies inside it when its corners do.
    """
    if scene.surface != FLAT:
        return True
    width, height = scene.n_fast * scene.pixel_fast, scene.n_slow * scene.pixel_slow
    edges = [(f * width, s * height) for f in (0, 1) for s in (0, 1)]
    depths = (0.0, scene.layers * scene.layer_step)
    corners = np.array(
        [scene.origin + f * scene.fast + s * scene.slow + t * scene.normal for f, s in edges for t in depths]
    )
    directions = corners / np.linalg.norm(corners, axis=1)[:, None]
    longest = 0.0
    for source in scene.sources:
        longest = max(longest, float(np.max(np.linalg.norm(directions - source[:3], axis=1)) * source[3]))
    longest *= 1.0 + 1e-9
    cell = np.linalg.norm(scene.orientations.reshape(-1, 3, 3), axis=2).max(axis=0)
    for reach, h_min, size in zip(
        cell * longest, (scene.h_min, scene.k_min, scene.l_min), (scene.nh, scene.nk, scene.nl), strict=True
    ):
        h_max = h_min + size - 3
        if reach > h_max - 2 or -reach < h_min + 2:
            return True
    return False
