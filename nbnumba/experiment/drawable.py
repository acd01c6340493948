"""What an experiment may hold and no image shows yet."""

from __future__ import annotations

from ..background.water import Water
from ..errors import InputError
from .model import ExperimentRecord


def check_drawable(experiment: ExperimentRecord) -> None:
    """Refuse what would be left out of the image.

    Raises
    ------
    InputError
        For other than one crystal with the whole fluence, oblong pixels, pixels or sensors that differ between panels,
        more than one cube of water, or an unknown fluence.
    """
    if experiment.crystal.weight != 1.0:
        raise InputError(f"crystals: the only one has the weight {experiment.crystal.weight:g}; it must be 1")
    panels = experiment.detector.panels
    for number, panel in enumerate(panels):
        fast, slow = panel.pixel_sizes
        if not panel.is_square:
            raise InputError(
                f"panel {number}: its pixels measure {fast * 1e3:g} x {slow * 1e3:g} mm; they must be square"
            )
        if panel.sensor != panels[0].sensor:
            raise InputError(f"panel {number}: its sensor differs from that of panel 0; all panels must have the same")
    cubes = sum(isinstance(material, Water) for material in experiment.background)
    if cubes > 1:
        raise InputError(f"background: there are {cubes} cubes of water; at most 1")
    if experiment.beam.fluence is None:
        raise InputError("beam: its fluence is None; an image needs a number")
