"""Scattering angles that a panel meets; no compiled code."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..scene import CURVED_AS_C, FLAT, Scene

Array = NDArray[np.float64]


def sine_range(scene: Scene) -> tuple[float, float]:
    """Return the smallest and largest sin(theta) that the region of a scene meets; of a curved detector from 0 on.

    A curved detector that goes further around than a half circle meets all of them.
    """
    fast = np.arange(scene.fast_first, scene.fast_last + 2) * scene.pixel_fast
    slow = np.arange(scene.slow_first, scene.slow_last + 2) * scene.pixel_slow
    # Around the region: places along fast and along slow.
    along_fast = np.concatenate([fast, fast, np.repeat(fast[[0, -1]], len(slow))])
    along_slow = np.concatenate([np.repeat(slow[[0, -1]], len(fast)), slow, slow])
    incident_beams = np.unique(scene.sources[:, :3], axis=0)
    smallest, largest = 1.0, 0.0
    for depth in {0.0, (scene.layers - 1) * scene.layer_step}:
        corner = scene.origin + depth * scene.normal
        place = corner[:, None] + np.outer(scene.fast, along_fast) + np.outer(scene.slow, along_slow)
        if scene.surface == FLAT:
            diffracted = place / np.sqrt((place * place).sum(axis=0))
        else:
            about_slow, about_fast = _bends(scene, along_fast, along_slow, place)
            if max(np.abs(about_slow).max(), np.abs(about_fast).max()) >= 0.5 * np.pi:
                return 0.0, 1.0
            diffracted = _turned(_turned(scene.beam, scene.slow, about_slow), scene.fast, about_fast).T
        for incident in incident_beams:
            apart = diffracted - incident[:, None]
            squares = (apart * apart).sum(axis=0)
            smallest = min(smallest, 0.5 * math.sqrt(float(squares.min())))
            largest = max(largest, 0.5 * math.sqrt(float(squares.max())))
    if scene.surface != FLAT or any(_meets(scene, incident) for incident in incident_beams):
        smallest = 0.0
    return smallest, min(largest, 1.0)


def _bends(scene: Scene, along_fast: Array, along_slow: Array, flat: Array) -> tuple[Array, Array]:
    """Turns about slow and about fast of places on a curved detector [rad], see `physics.sample.bend_angles`."""
    if scene.surface == CURVED_AS_C:
        return flat[1] / scene.distance, flat[2] / scene.distance
    about_slow = scene.bend_fast * (along_fast - scene.beam_fast) / scene.distance
    about_fast = scene.bend_slow * (along_slow - scene.beam_slow) / scene.distance
    return about_slow, about_fast


def _turned(vectors: Array, axis: Array, angles: Array) -> Array:
    """Turn vectors about a unit axis, right-handed."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    along = (vectors @ axis)[..., None] * axis
    return np.asarray(along + (vectors - along) * cosine + np.cross(axis, vectors) * sine)


def _meets(scene: Scene, incident: Array) -> bool:
    """Whether an undiffracted ray hits the region."""
    along = float(incident @ scene.normal)
    if along == 0.0:
        return False
    reach = float(scene.origin @ scene.normal) / along
    if reach <= 0.0:
        return False
    place = reach * incident - scene.origin
    fast, slow = float(place @ scene.fast) / scene.pixel_fast, float(place @ scene.slow) / scene.pixel_slow
    return scene.fast_first <= fast <= scene.fast_last + 1 and scene.slow_first <= slow <= scene.slow_last + 1
