"""The detector of a DIALS experiment list: panels carried from their groups' frames to the laboratory's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..geometry.panel import PlacedPanel
from .expt_place import ROUNDING, SMALLEST, Array, Place, check_index, unit_vector
from .expt_schema import DetectorEntry, Group, PanelEntry
from .validated import Vector

_DEEPEST = 100  # groups within groups
_MOST_PIXELS = 2**31 - 1


def panels_of(detector: DetectorEntry, place: Place) -> tuple[PlacedPanel, ...]:
    """Return the panels in their order, each carried from its group's frame to the laboratory's."""
    panels = detector.panels
    if not panels:
        place.fail("panels", "the detector has no panel")
    frames = [_LABORATORY] * len(panels)
    groups = [""] * len(panels)
    if detector.hierarchy is not None:
        leaves = _leaves(detector.hierarchy, place.inside("hierarchy"), _LABORATORY, len(panels))
        found = {number: (frame, group) for number, frame, group in leaves}
        for number in range(len(panels)):
            if number not in found:
                place.fail("hierarchy", f"panel {number} is in no group")
        frames = [found[number][0] for number in range(len(panels))]
        groups = [found[number][1] for number in range(len(panels))]
    return tuple(
        _panel(panel, place.inside(f"panels[{number}]"), frame, group)
        for number, (panel, frame, group) in enumerate(zip(panels, frames, groups, strict=True))
    )


_Frame = tuple[Array, Array]
"""Axes as the columns of a matrix, and an origin [mm]."""

_LABORATORY: _Frame = (np.eye(3), np.zeros(3))


def _leaves(
    group: Group, place: Place, parent: _Frame, count: int, depth: int = 0
) -> Iterator[tuple[int, _Frame, str]]:
    """Yield the number of every panel in a group, the frame that its vectors are relative to, and its group's name."""
    if depth > _DEEPEST:
        place.fail("children", f"groups within groups, more than {_DEEPEST} deep")
    frame = _frame_of_group(parent, group, place)
    if group.children is None:
        place.fail("children", "is missing")
    for number, child in enumerate(group.children):
        here = place.inside(f"children[{number}]")
        if child.panel is None:
            yield from _leaves(child, here, frame, count, depth + 1)
        else:
            check_index(child.panel, count, here, "panel")
            yield child.panel, frame, group.name or ""


def _frame_of_group(parent: _Frame, group: Group, place: Place) -> _Frame:
    """Return the frame of a group, that of the group around it where it has none."""
    if group.origin is None:
        return parent
    for key, axis in (("fast_axis", group.fast_axis), ("slow_axis", group.slow_axis)):
        if axis is None:
            place.fail(key, "is missing")
    assert group.fast_axis is not None
    assert group.slow_axis is not None
    return _frame_in(parent, (group.fast_axis, group.slow_axis, group.origin), place)


def _frame_in(parent: _Frame, vectors: tuple[Vector, Vector, Vector], place: Place) -> _Frame:
    """Return the frame of fast axis, slow axis and origin in the laboratory."""
    fast, slow = unit_vector(vectors[0], place, "fast_axis"), unit_vector(vectors[1], place, "slow_axis")
    if abs(float(fast @ slow)) > ROUNDING:
        place.fail("slow_axis", "is not at right angles to fast_axis")
    axes, origin = parent
    local = np.column_stack([fast, slow, np.cross(fast, slow)])
    return axes @ local, origin + axes @ np.array(vectors[2])


def _panel(panel: PanelEntry, place: Place, parent: _Frame, group: str) -> PlacedPanel:
    axes, origin = _frame_in(parent, (panel.fast_axis, panel.slow_axis, panel.origin), place)
    n_fast, n_slow = panel.image_size
    if not all(1.0 <= size <= 1e9 and size == math.floor(size) for size in panel.image_size):
        place.fail("image_size", f"is [{n_fast:g}, {n_slow:g}]; two whole numbers of at least 1 are needed")
    fast_mm, slow_mm = panel.pixel_size
    if not min(fast_mm, slow_mm) >= SMALLEST:
        place.fail("pixel_size", f"is [{fast_mm:g}, {slow_mm:g}]; two sizes greater than 0 are needed")
    strategy = panel.px_mm_strategy
    return PlacedPanel(
        n_fast=int(n_fast),
        n_slow=int(n_slow),
        pixel_sizes=(fast_mm / 1000.0, slow_mm / 1000.0),
        origin=origin / 1000.0 + 0.0,  # no minus zero, which commands would show
        fast=axes[:, 0] + 0.0,
        slow=axes[:, 1] + 0.0,
        name=panel.name or "",
        group=group,
        thickness=max(panel.thickness or 0.0, 0.0) / 1000.0,
        mu=max(panel.mu or 0.0, 0.0) * 1000.0,
        material=panel.material or "",
        parallax=strategy is not None and strategy.type == "ParallaxCorrectedPxMmStrategy",
        bad=_bad(panel, int(n_fast), int(n_slow), place),
    )


def _bad(panel: PanelEntry, n_fast: int, n_slow: int, place: Place) -> NDArray[np.bool_] | None:
    """Return the pixels of the untrusted rectangles of a panel; None where there are none.

    A rectangle is fast first, slow first, fast end, slow end; the ends are outside.
    """
    if not panel.mask:
        return None
    if n_fast * n_slow > _MOST_PIXELS:
        place.fail("image_size", f"is [{n_fast}, {n_slow}]; at most {_MOST_PIXELS} pixels")
    bad = np.zeros((n_slow, n_fast), dtype=np.bool_)
    for f0, s0, f1, s1 in panel.mask:
        bad[max(0, s0) : max(0, s1), max(0, f0) : max(0, f1)] = True
    return bad
