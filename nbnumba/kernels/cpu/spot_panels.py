"""The panels of a detector as the search for compact spots sees them, all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import FLAT, Array, Scene
from . import spot_search as search
from .spot_sheets import Sheets, sheets_of
from .spots import TILE_ROWS
from .strip import LANES, WIDTH

WIDEST = 1.5  # half-angle of what a panel sees [rad]
_MOST_CELLS = 64  # along an edge of a net


class SpotGeometry(NamedTuple):
    """What a panel sees of reciprocal space, and how far a spot may extend in it.

    Attributes
    ----------
    view : (12,) float
        The cone of directions that the panel sees: axis, cosine and sine of its half-angle; the smallest and largest
        stretch of M; 1 where spots overlap their neighbors, else 0; the longest offset that is nearest
        to one reflection [1/m], and the largest that M makes of such offsets; the largest variances of mosaicity and
        divergence [rad^2].
    tile_width, tiles_per_row, tiles : int
        Of the panel; a tile has TILE_ROWS rows.
    """

    view: Array
    tile_width: int
    tiles_per_row: int
    tiles: int


class Panels(NamedTuple):
    """Panels on which spots are listed together.

    Directions about the axis of the cone around all sheets are laid out flat, such that areas stay the same, and cut
    into square cells. Each names the sheets that can see a spot whose middle is in it.

    Attributes
    ----------
    numbers : (panels,) records
    views : (panels, 12)
        Of `SpotGeometry`.
    limits : (panels, 2)
        Their `spot_brightness` and `reach`.
    sheets : Sheets
        Of the panels.
    sheet_views : (sheets, 12)
    edges : (sheets, 4, 4)
        The planes through the sample and the edges of a sheet: normal, and what its product with the direction of a
        pixel is at the least.
    around : (12,)
        As a view, with a cone around all sheets.
    widest : int
        The sheet on which spots are the largest.
    tiling : (panels + 1, 3) int
        Columns of a tile, tiles in a row, number of the first tile; last, the number of all tiles.
    net : (12,)
        Axis, and the directions of columns and rows; cells per unit length; cosine of the largest half-angle of a spot
        that the cells allow for; cells along an edge.
    cells : (cells + 1,) int
        Where the members of each cell begin. The last one holds all panels.
    members : int array
        Sheets, in ascending order in each cell.
    """

    numbers: NDArray[np.void]
    views: Array
    limits: Array
    sheets: Sheets
    sheet_views: Array
    edges: Array
    around: Array
    widest: int
    tiling: NDArray[np.int64]
    net: Array
    cells: NDArray[np.int64]
    members: NDArray[np.int64]

    @property
    def first_tiles(self) -> tuple[int, ...]:
        """Number of the first tile of each panel; last, the number of all."""
        return tuple(self.tiling[:, search.FIRST].tolist())


def tiled(numbers: NDArray[np.void], views: Array) -> list[SpotGeometry]:
    """Return what panels see, with their tiles."""
    rows = numbers["slow_last"] - numbers["slow_first"] + 1
    columns = numbers["fast_last"] - numbers["fast_first"] + 1
    widths = np.minimum(WIDTH, -(-columns // LANES) * LANES)
    per_row = -(-columns // widths)
    tiles = per_row * -(-rows // TILE_ROWS)
    return list(map(SpotGeometry, views, widths.tolist(), per_row.tolist(), tiles.tolist()))


def numbers_of(scenes: Sequence[Scene]) -> NDArray[np.void]:
    """Return the records of scenes in one array."""
    # np.concatenate compares the types of records field by field.
    together = np.empty(len(scenes), scenes[0].numbers.dtype)
    together.view(np.uint8)[:] = np.frombuffer(b"".join(scene.numbers.tobytes() for scene in scenes), np.uint8)
    return together


def panels_of(scene: Scene, numbers: NDArray[np.void], geometries: Sequence[SpotGeometry]) -> Panels:
    """Put the panels of a detector together.

    Parameters
    ----------
    scene : Scene
        Of one of them: the sources are the same.
    numbers : (panels,) records
    geometries : sequence of SpotGeometry
        Views of one detector: they differ in their cones alone.
    """
    views = np.array([geometry.view for geometry in geometries])
    tiling = np.zeros((len(geometries) + 1, 3), dtype=np.int64)
    tiling[:-1, : search.FIRST] = [(geometry.tile_width, geometry.tiles_per_row) for geometry in geometries]
    tiling[1:, search.FIRST] = np.cumsum([geometry.tiles for geometry in geometries])
    sheets, sheet_views = _sheets(numbers, views)
    widest = widest_of(sheets.numbers, np.arange(len(sheet_views)))
    axis, half_angle = _cone_around(sheet_views)
    around = sheet_views[widest].copy()
    around[:5] = (*axis, math.cos(half_angle), math.sin(half_angle))
    if len(sheet_views) == 1:
        net, cells, members = np.zeros(12), np.arange(2), np.zeros(1, dtype=np.int64)
    else:
        spot = _largest_spot(scene, sheets.numbers[widest], sheet_views[widest])
        net, cells, members = _net(sheet_views, axis, half_angle, spot)
    limits = np.stack([numbers["spot_brightness"], numbers["reach"]], axis=1)
    edges = _edges(sheets.numbers, sheet_views)
    return Panels(numbers, views, limits, sheets, sheet_views, edges, around, widest, tiling, net, cells, members)


def _sheets(numbers: NDArray[np.void], views: Array) -> tuple[Sheets, Array]:
    """Join panels to sheets on which spots can be placed, and return what these see."""
    for joined in (True, False):
        sheets = sheets_of(numbers, _corners(numbers), joined)
        firsts = np.unique(sheets.sheet_of, return_index=True)[1]
        sheet_views = views[firsts]
        several = np.flatnonzero(np.bincount(sheets.sheet_of) > 1)
        axes, half_angles = cones(sheets.numbers[several])
        if not np.any(half_angles > WIDEST):
            break
    sheet_views[several, :5] = np.column_stack([axes, np.cos(half_angles), np.sin(half_angles)])
    return sheets, sheet_views


def widest_of(numbers: NDArray[np.void], places: NDArray[np.intp]) -> int:
    """Return the one of some panels on which spots are the largest."""
    return int(max(places, key=lambda place: (numbers["reach"][place], numbers["spot_brightness"][place])))


def spots_of(
    scene: Scene, geometry: SpotGeometry, first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """List the spots of some pairs on one panel; return them and their boxes, see `spot_search.list_spots`."""
    panels, tiles = panels_of(scene, scene.numbers, [geometry]), np.zeros(geometry.tiles, dtype=np.int32)
    spots, boxes, _ = search.list_spots(panels, scene.sources, scene.orientations, scene.flat, first, last, tiles)
    return spots, boxes


def cones(numbers: NDArray[np.void]) -> tuple[Array, Array]:
    """Axes and half-angles of cones that hold the directions from the sample to the region of each panel.

    Where there is none, the half-angle is pi.
    """
    corners = _corners(numbers)
    lengths = np.linalg.norm(corners, axis=2)
    sums = (corners / np.maximum(lengths, 1e-300)[:, :, None]).sum(axis=1)
    norms = np.linalg.norm(sums, axis=1)
    known = (lengths.min(axis=1) > 0.0) & (norms > 1e-3)
    axes = np.where(known[:, None], sums / np.maximum(norms, 1e-300)[:, None], numbers["beam"])
    cosines = np.clip(np.einsum("pcx,px->pc", corners, axes) / np.maximum(lengths, 1e-300), -1.0, 1.0)
    return axes, np.where(known, np.arccos(cosines.min(axis=1)) + 1e-7, math.pi)


def _corners(numbers: NDArray[np.void]) -> Array:
    """Corners of the region of each panel in the first and last layer, (panels, 8, 3): fast, slow, depth innermost."""
    across = numbers["pixel_fast"][:, None] * np.stack([numbers["fast_first"], numbers["fast_last"] + 1], axis=1)
    along = numbers["pixel_slow"][:, None] * np.stack([numbers["slow_first"], numbers["slow_last"] + 1], axis=1)
    depths = (numbers["layers"] * numbers["layer_step"])[:, None] * np.array([0.0, 1.0])
    corners = (
        numbers["origin"][:, None, None, None]
        + across[:, :, None, None, None] * numbers["fast"][:, None, None, None]
        + along[:, None, :, None, None] * numbers["slow"][:, None, None, None]
        + depths[:, None, None, :, None] * numbers["normal"][:, None, None, None]
    )
    return corners.reshape(len(numbers), 8, 3)


def _edges(numbers: NDArray[np.void], views: Array) -> Array:
    """Return the planes through the sample and the edges of each panel; see `Panels`."""
    corners = _corners(numbers)
    directions = corners / np.maximum(np.linalg.norm(corners, axis=2), 1e-300)[:, :, None]
    first, last = directions[:, [0, 4, 6, 2]], directions[:, [4, 6, 2, 0]]  # around the first layer
    normals = np.cross(first, last)
    normals *= np.sign(np.einsum("pex,px->pe", normals, views[:, :3]))[:, :, None]
    normals /= np.maximum(np.linalg.norm(normals, axis=2), 1e-300)[:, :, None]
    # A direction between corners is their sum with positive shares, over its length: at least cos of the half-angle.
    least = np.minimum(0.0, np.einsum("pcx,pex->pec", directions, normals).min(axis=2)) / views[:, 3, None]
    least[numbers["surface"] != FLAT] = -2.0  # they have no such planes
    return np.concatenate([normals, least[:, :, None] - 1e-9], axis=2)


def _cone_around(views: Array) -> tuple[Array, float]:
    """Axis and half-angle of a cone around those of all panels."""
    if len(views) == 1:
        return views[0, :3], math.atan2(views[0, 4], views[0, 3])
    axis = views[:, :3].sum(axis=0)
    norm = float(np.linalg.norm(axis))
    if norm < 1e-3:
        return views[0, :3], math.pi
    axis /= norm
    half_angles = np.arctan2(views[:, 4], views[:, 3])
    farthest = float((np.arccos(np.clip(views[:, :3] @ axis, -1.0, 1.0)) + half_angles).max())
    return axis, min(math.pi, farthest + 1e-7)


def _largest_spot(scene: Scene, numbers: np.void, view: Array) -> float:
    """About the half-angle of the largest spot, for the size of cells."""
    k0 = float(scene.sources[:, 3].min())
    root = min(math.sqrt(numbers["reach"]) * float(numbers["spot_stretch"]), float(view[9]))
    offset = min(root / float(view[5]), float(view[8]))
    if scene.continuous:
        variance = 0.5 / float(view[5]) ** 2 + k0 * k0 * (max(float(view[10]), scene.bandwidth**2) + float(view[11]))
        offset = root * math.sqrt(2.0 * variance)  # the bend of spots apart
    return math.asin(min(1.0, offset / k0))


def _net(views: Array, axis: Array, half_angle: float, spot: float) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Cut the directions about an axis into cells, and find the panels for each; see `Panels`."""
    columns = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    columns /= np.linalg.norm(columns)
    rows = np.cross(axis, columns)
    edge = min(_MOST_CELLS, math.ceil(1.5 * math.sqrt(len(views))))
    end = 2.0 * math.sin(min(math.pi, half_angle + spot) / 2.0) * (1.0 + 1e-9)
    places = (np.arange(edge) + 0.5) * (2.0 * end / edge) - end
    x, y = np.tile(places, edge), np.repeat(places, edge)
    distances = np.hypot(x, y)
    half = end / edge * math.sqrt(2.0)
    # Lengths on the sphere are at the most 1/cos of half the angle to the axis times those of the net.
    outermost = (distances + half) / 2.0
    radii = np.where(outermost < 0.97, half / np.sqrt(1.0 - np.minimum(outermost, 0.97) ** 2), math.pi)
    along = 1.0 - distances**2 / 2.0
    across = np.sqrt(np.maximum(0.0, 1.0 - distances**2 / 4.0))
    middles = along[:, None] * axis + across[:, None] * (x[:, None] * columns + y[:, None] * rows)
    reach = np.minimum(math.pi, radii + spot + 1e-6)
    cosines = np.outer(np.cos(reach), views[:, 3]) - np.outer(np.sin(reach), views[:, 4])
    half_turn = reach[:, None] + np.arctan2(views[:, 4], views[:, 3]) >= math.pi
    seen = (middles @ views[:, :3].T >= cosines) | half_turn
    counts = np.append(seen.sum(axis=1), len(views))
    members = np.append(np.nonzero(seen)[1], np.arange(len(views)))
    net = np.array([*axis, *columns, *rows, edge / (2.0 * end), math.cos(spot), edge])
    return net, np.concatenate([[0], np.cumsum(counts)]), members
