"""The crystal that -mat names, from a file of MOSFLM, DIALS or XDS, in the laboratory frame of the command."""

from __future__ import annotations

import math

import numpy as np

from ..detector.placement import Axes
from ..errors import InputError, called
from ..geometry.vectors import Array, cross, dot, length, vector
from ..io import matrix
from ..io.contents import content_of
from ..io.opening import label, read_text
from ..parameters.choices import Semantics
from ..parameters.settings import Settings
from ..util.messages import logger
from .lattice import lattice_of_vectors

_SMALLEST_ACROSS = 1e-6  # of a direction's length, across the beam
_SAME_LENGTH, _SAME_ANGLE = 0.01, 1.0  # fraction and degrees; also of where a cell differs from that of a file
_SAME_AXIS = math.cos(math.radians(1.0))  # refined axes miss their ideal by less


def reciprocal_from_file(settings: Settings, axes: Axes, turning: bool) -> Array:
    """Read the reciprocal vectors of `settings.crystal.matrix_file`.

    Parameters
    ----------
    axes : Axes
        Of the command's convention, before the detector turns.
    turning : bool
        Whether the crystal is drawn at spindle angles other than 0.

    Returns
    -------
    (3, 3) [1/Angstrom]
        Rows a*, b*, c* at the spindle angle 0.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        The file is malformed, or holds no crystal.

    Notes
    -----
    A matrix of MOSFLM holds wavelength times reciprocal vectors, which count as they stand whatever the convention,
    as in C (nanoBragg.c:1881). Files of DIALS and XDS hold a cell in Angstrom in a frame of their own. It is turned so
    that its beam comes to lie on ours, and its detector's fast axis, as far as it is across the beam, on our fast axis
    before the detector turns; for DIALS that axis is the frame's x. Of a .expt beside -expt the frame is the same,
    and nothing is turned. Where fast x slow points against the beam (-adxv) C's image is the mirror image of what the
    file's detector saw, and no rotation changes that.
    """
    path = str(settings.crystal.matrix_file)
    text = content_of(read_text, path, called("matrix"))
    from ..io import xparm

    if text.lstrip().startswith("{"):  # which no other kind of file begins with
        from ..io import expt

        content = expt.parse(text, path, called("matrix"), settings.detector.expt_number)
        if content.further_reciprocal_A:
            raise InputError(
                f"{label(called('matrix'), path)}: holds {1 + len(content.further_reciprocal_A)} lattices of one "
                f"image; choose one with {called('expt_number')}, or draw all with {called('expt')}"
            )
        for line in content.remarks:
            logger.warning(line)
        if content.reciprocal_A is None:
            raise InputError(f"{label(called('matrix'), path)}: holds no crystal")
        if settings.detector.expt_file is not None:
            return content.reciprocal_A
        turn = _frame(axes.beam, axes.fast, called("fdet_vector")).T @ _frame(
            content.beam, vector((1, 0, 0)), f"{label(called('matrix'), path)}: x"
        )
        spindle = content.rotation_axis if content.width_deg > 0.0 else None
        reciprocal = content.reciprocal_A
    elif xparm.is_xparm(text):
        written = xparm.parse(text, path, called("matrix"))
        turn = _frame(axes.beam, axes.fast, called("fdet_vector")).T @ _frame(
            written.beam, written.detector_x, f"{label(called('matrix'), path)}: the detector's x-axis"
        )
        spindle, reciprocal = written.spindle, written.reciprocal_A
    else:
        columns = matrix.parse(text, path, called("matrix"))
        reciprocal = np.asarray(columns.T * (1e-10 / settings.beam.wavelength))  # the file holds lambda a*, ...
        _check_stated_cell(reciprocal, matrix.stated_cell(text), settings, path)
        return reciprocal
    if turning and spindle is not None and dot(turn @ spindle, axes.spindle) < _SAME_AXIS:
        theirs, ours = (" ".join(f"{round(v, 9) + 0.0:.3g}" for v in axis) for axis in (turn @ spindle, axes.spindle))
        logger.warning(
            f"{called('matrix')} {path}: its crystal turned about {theirs}, as it lies here; the spindle is {ours}"
        )
    return np.asarray(reciprocal @ turn.T)


def _check_stated_cell(reciprocal: Array, stated: tuple[float, ...] | None, settings: Settings, path: str) -> None:
    """Tell where a file of MOSFLM states another cell than its matrix makes at our wavelength; an error in `exact`."""
    if stated is None:
        return
    lattice = lattice_of_vectors(reciprocal.tobytes())
    made = (*lattice.lengths_A.tolist(), *map(math.degrees, lattice.angles.tolist()))
    apart = [abs(one - other) for one, other in zip(made, stated, strict=True)]
    allowed = (*(_SAME_LENGTH * length for length in stated[:3]), *3 * (_SAME_ANGLE,))
    if all(one <= most for one, most in zip(apart, allowed, strict=True)):
        return
    shown = (" ".join(f"{number:.6g}" for number in cell) for cell in (stated, made))
    message = (
        f"{label(called('matrix'), path)}: states the cell {next(shown)}, and makes {next(shown)} of it at "
        f"{settings.beam.wavelength * 1e10:g} Å ({called('wavelength_A')})"
    )
    if settings.semantics is Semantics.EXACT:
        raise InputError(message)
    logger.warning(message)


def _frame(beam: Array, fast: Array, name: str) -> Array:
    """Return the rows of a right-handed frame: fast across the beam, the third direction, and the beam."""
    across = fast - dot(fast, beam) * beam
    if length(across) < _SMALLEST_ACROSS:
        raise InputError(f"{name} runs along the beam, so that the crystal's frame cannot be laid on another")
    x = across / length(across)
    return np.array([x, cross(beam, x), beam])
