"""Lists the compact spots of a range of pairs, on all panels of a detector at once, and puts them in order by tiles."""

import math

import numpy as np

from ..jit import borrowed, inner, inner_inlined, kernel
from .spots import (
    FCELL,
    PAIR,
    ROOT,
    SPOT,
    TILE_ROWS,
    VX,
    VY,
    VZ,
    box_of,
    excited,
    misses_panel,
    open_column,
    opened_pair,
    sine_of,
    spot_root,
    stepped,
)

LEFT, RIGHT, BOTTOM, TOP, PANEL = range(5)  # of the box around a spot: columns, rows, panel
BOX = 5
WIDTH, PER_ROW, FIRST = range(3)  # of the tiles of a panel: columns of one, tiles in a row, number of the first
_BEHIND = -0.9  # cosine of the angle to the axis of a net beyond which it has no cells
_FIRST_ROOM = 1024  # spots


@inner
def beyond_edges(edges, x, y, z, v, cos_theta, sin_theta):
    """Tell whether the cone of half-angle theta about (x, y, z), of length v, is beyond an edge of a panel."""
    # Without branches: which edge it is beyond, if any, cannot be predicted.
    farthest = v
    for i in range(4):
        farthest = min(farthest, edges[i, 0] * x + edges[i, 1] * y + edges[i, 2] * z - edges[i, 3] * v)
    return (farthest < -sin_theta * v) & (cos_theta > 0.0)


@inner
def members_about(net, cells, x, y, z, v, cos_theta):
    """First and last + 1 place among the members of a net, of the panels that may see a cone; see `Panels`."""
    count = cells.shape[0] - 1
    along = (net[0] * x + net[1] * y + net[2] * z) / v
    if count == 1 or along < _BEHIND or cos_theta < net[10]:
        return cells[count - 1], cells[count]
    scale = math.sqrt(2.0 / (1.0 + along)) / v
    edge = int(net[11])
    column = int((net[3] * x + net[4] * y + net[5] * z) * scale * net[9] + 0.5 * edge)
    row = int((net[6] * x + net[7] * y + net[8] * z) * scale * net[9] + 0.5 * edge)
    cell = max(0, min(edge - 1, row)) * edge + max(0, min(edge - 1, column))
    return cells[cell], cells[cell + 1]


@inner
def doubled(spots, boxes):
    """Return room for twice as many spots, with those that there are."""
    found = spots.shape[0]
    more, more_boxes = np.empty((2 * found, SPOT)), np.empty((2 * found, BOX), dtype=np.int32)
    # Element by element: for slices Numba compiles messages of errors, which takes seconds.
    for i in range(found):
        for column in range(SPOT):
            more[i, column] = spots[i, column]
        for column in range(BOX):
            more_boxes[i, column] = boxes[i, column]
    return more, more_boxes


@inner
def root_of(q, brightness, reach, logarithms):
    """Where a spot ends on a panel; see `spots.spot_root`."""
    return spot_root(q, brightness, reach, logarithms[0], logarithms[1])


@inner
def count_tiles(box, tiling, tiles):
    """Count a spot in the tiles that its box touches; return their number."""
    width, per_row, start = tiling[WIDTH], tiling[PER_ROW], tiling[FIRST]
    touched = 0
    for row in range(box[BOTTOM] // TILE_ROWS, box[TOP] // TILE_ROWS + 1):
        for column in range(box[LEFT] // width, box[RIGHT] // width + 1):
            tiles[start + row * per_row + column] += 1
            touched += 1
    return touched


@inner_inlined
def enter(q, panels, sheet, box, spot, found, spots, boxes, work, tiles):
    """Enter a spot into the list for each panel of a sheet that its box meets.

    Parameters
    ----------
    q : record
        Of the sheet on which spots are the largest.
    box : (left, right, bottom, top)
        Counted from the sheet's first pixel.
    spot : (x, y, z, factor, pair, area, largest_root, farthest, logarithms)
    found : int
        Number of those in the list.
    spots, boxes, work, tiles
        As of `list_spots`; with room for more.

    Returns
    -------
    found, spots, boxes
    """
    regions, grid, limits = borrowed(panels.sheets.regions), borrowed(panels.sheets.grid), borrowed(panels.limits)
    starts, members, tiling = borrowed(panels.sheets.cells), borrowed(panels.sheets.members), borrowed(panels.tiling)
    left, right, bottom, top = box
    x, y, z, f, pair, area, largest_root, farthest, logarithms = spot
    share = area / ((right - left + 1.0) * (top - bottom + 1.0))
    wide, high, per_row, first = grid[sheet, 0], grid[sheet, 1], grid[sheet, 2], grid[sheet, 3]
    for row in range(bottom // high, top // high + 1):
        for column in range(left // wide, right // wide + 1):
            cell = first + row * per_row + column
            for i in range(starts[cell], starts[cell + 1]):
                panel = members[i]
                region, to = regions[panel], tiling[panel]
                l_edge, r_edge = max(left, region[0]), min(right, region[1])
                b_edge, t_edge = max(bottom, region[2]), min(top, region[3])
                # Of several cells, the one of the first pixel that the spot and the panel share.
                if l_edge > r_edge or b_edge > t_edge or l_edge // wide != column or b_edge // high != row:
                    continue
                root = largest_root
                if limits[panel, 0] != q.spot_brightness or limits[panel, 1] != q.reach:
                    root = min(root_of(q, limits[panel, 0], limits[panel, 1], logarithms), farthest)
                    if root == 0.0:
                        continue
                if found == spots.shape[0]:
                    spots, boxes = doubled(spots, boxes)
                spots[found, VX], spots[found, VY], spots[found, VZ] = x, y, z
                spots[found, FCELL], spots[found, ROOT], spots[found, PAIR] = f, root, pair
                boxes[found, LEFT], boxes[found, RIGHT] = l_edge - region[0], r_edge - region[0]
                boxes[found, BOTTOM], boxes[found, TOP] = b_edge - region[2], t_edge - region[2]
                boxes[found, PANEL] = panel
                work[panel, 0] += 1.0
                work[panel, 1] += count_tiles(boxes[found], to, tiles)
                work[panel, 2] += share * (r_edge - l_edge + 1.0) * (t_edge - b_edge + 1.0)
                found += 1
    return found, spots, boxes


@kernel
def list_spots(panels, sources, orientations, flat, first, last, tiles):
    """List the spots of the pairs first to last - 1 on all panels.

    Parameters
    ----------
    panels : Panels
    sources, orientations, flat
        Of their scenes.
    tiles : int32 array
        Number of spots of every tile of all panels; increased.

    Returns
    -------
    spots : (n, SPOT)
        Of all panels: those of a pair together, pairs in their order.
    boxes : (n, BOX) int32
        First and last column and row, counted from the region's first, and the panel.
    work : (panels, 3) float
        Spots, tiles that they touch, and pixels in their ellipses.
    """
    numbers, views = borrowed(panels.sheets.numbers), borrowed(panels.sheet_views)
    net, cells, members = borrowed(panels.net), borrowed(panels.cells), borrowed(panels.members)
    sources, orientations, flat = borrowed(sources), borrowed(orientations), borrowed(flat)
    widest, around, edges = panels.widest, borrowed(panels.around), borrowed(panels.edges)
    q = numbers[widest]
    bounded = flat[0] == 0.0  # no reflections outside the table
    spots, boxes = np.empty((_FIRST_ROOM, SPOT)), np.empty((_FIRST_ROOM, BOX), dtype=np.int32)
    work = np.zeros((panels.limits.shape[0], 3))
    several = numbers.shape[0] > 1
    found = 0
    for pair in range(first, last):
        opened = opened_pair(q, around, sources, orientations, bounded, pair)
        k0 = opened[0][0]
        h1, h2, k1, k2 = opened[3][0], opened[3][1], opened[3][2], opened[3][3]
        for h in range(h1, h2 + 1):
            for k in range(k1, k2 + 1):
                l, l_last, middle, skipped = open_column(opened, h, k)
                while l <= l_last:
                    l = stepped(l, middle, skipped)
                    if l > l_last:
                        break
                    seen, x, y, z, f, largest_root, spot, cos_theta, logarithms = excited(
                        q, around, flat, opened, h, k, l
                    )
                    l += 1
                    if not seen:
                        continue
                    mx, my, mz, v = spot[:4]
                    sin_theta = sine_of(cos_theta)
                    begin, end = members_about(net, cells, mx, my, mz, v, cos_theta)
                    for member in range(begin, end):
                        sheet = members[member]
                        view = views[sheet]
                        if several and misses_panel(view, mx, my, mz, v, cos_theta, sin_theta):
                            continue
                        if several and beyond_edges(edges[sheet], mx, my, mz, v, cos_theta, sin_theta):
                            continue
                        own, root = numbers[sheet], largest_root
                        if sheet != widest:
                            root = min(root_of(q, own.spot_brightness, own.reach, logarithms), view[9])
                            if root == 0.0:
                                continue
                        left, right, bottom, top, area = box_of(own, view, k0, spot, root)
                        if left > right:
                            continue
                        box = (
                            left - own.fast_first,
                            right - own.fast_first,
                            bottom - own.slow_first,
                            top - own.slow_first,
                        )
                        spot_of_pair = x, y, z, f, pair, area, largest_root, view[9], logarithms
                        found, spots, boxes = enter(
                            q, panels, sheet, box, spot_of_pair, found, spots, boxes, work, tiles
                        )
    return spots[:found], boxes[:found], work


@kernel
def put_in_order(boxes, first_spot, tiling, places, order):
    """Enter spots, counted from `first_spot`, at the places of the tiles that they touch; places move on."""
    for i in range(boxes.shape[0]):
        width, per_row, start = (
            tiling[boxes[i, PANEL], WIDTH],
            tiling[boxes[i, PANEL], PER_ROW],
            tiling[boxes[i, PANEL], FIRST],
        )
        for row in range(boxes[i, BOTTOM] // TILE_ROWS, boxes[i, TOP] // TILE_ROWS + 1):
            for column in range(boxes[i, LEFT] // width, boxes[i, RIGHT] // width + 1):
                tile = start + row * per_row + column
                order[places[tile]] = first_spot + i
                places[tile] += 1
