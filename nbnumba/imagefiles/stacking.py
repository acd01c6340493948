"""How the panels of a detector lie in the one array of a file."""

from __future__ import annotations

import numpy as np

from ..detector.model import Detector
from ..geometry.panel import MOST_MOVED, PanelGeometry, StackedPanel
from ..geometry.vectors import Array


def stacked_panel(panel: PanelGeometry, first_row: int, frame: Array, *, right_angles: bool = False) -> StackedPanel:
    """Return a panel in another frame, which a rotation (3, 3) leads to, with its place in the array of a file.

    `right_angles` puts axes at right angles where they nearly are, for readers that refuse others.
    """
    origin, fast, slow = panel.origin, panel.fast, panel.slow
    if right_angles and panel.is_skew:
        *nearest, moved = panel.at_right_angles()
        if moved <= MOST_MOVED:
            origin, fast, slow = nearest
    axes = frame @ origin, frame @ fast, frame @ slow
    return StackedPanel(panel.n_fast, panel.n_slow, panel.pixel_sizes, *axes, first_row, getattr(panel, "group", ""))


def panel_rows(detector: Detector) -> list[tuple[int, int, int]]:
    """Return where the panels are in the array of a file: first row, n_slow and n_fast of each."""
    places, first = [], 0
    for panel in detector.panels:
        places.append((first, panel.n_slow, panel.n_fast))
        first += panel.n_slow
    return places


def camera_length(origin: Array, fast: Array, slow: Array) -> float:
    """Return the z at which the beam meets a panel's plane [m], that of its corner where it runs beside the plane.

    A panel's own distance is as long as a number can be where the beam runs beside it.
    """
    met = _where_the_beam_meets(origin, fast, slow)
    return float(origin[2]) if met is None else float(origin[2] + met[0] * fast[2] + met[1] * slow[2])


def _where_the_beam_meets(origin: Array, fast: Array, slow: Array) -> tuple[float, float] | None:
    """Return how far from a panel's corner the z axis meets its plane, along fast and slow [m]; None: nowhere."""
    plane = np.array([fast[:2], slow[:2]]).T
    if abs(np.linalg.det(plane)) < 1e-9:
        return None
    along_fast, along_slow = np.linalg.solve(plane, -origin[:2])
    return float(along_fast), float(along_slow)
