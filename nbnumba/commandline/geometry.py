"""`nbnumba geometry`: detector, beam, spindle and crystal as a page to turn and look at."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..crystal.model import Crystal
from ..detector.resolution import spacing
from ..errors import InputError
from ..experiment.geometry import Geometry
from ..experiment.geometry_only import build_geometry
from ..io.atomic import check_can_write, check_distinct, whole_file
from ..parameters.files import check_files, input_files
from ..parameters.parser import parse_with_files
from ..util.messages import logger
from ..util.text import quote
from .own_options import take_own_options

_OWN_WORDS = {"-out": "-out", "-o": "-out", "-output": "-out"}


def geometry(words: Sequence[str]) -> None:
    """Write the page.

    Parameters
    ----------
    words : sequence of str
        Options of a rendering, and `-out PAGE.html`.

    Raises
    ------
    InputError
        For a mistake in the words.
    FileError
        When a file cannot be read or written.
    """
    own, rest = take_own_options(words, _OWN_WORDS)
    command, loose = parse_with_files(rest)
    for line in command.notices:
        logger.warning(line)
    if loose:
        raise InputError(f"geometry: {quote(loose[0])}: an option is expected here, beginning with a dash")
    target = own.get("-out")
    if target is None:
        raise InputError("geometry: needs -out PAGE.html, the page to write")
    if Path(target).suffix.lower() not in ("", ".html", ".htm"):
        raise InputError(f"-out {target}: geometry writes a page; allowed endings: .html, .htm")
    check_files(command.settings)
    check_distinct([("-out", target)], input_files(command.settings))
    check_can_write("-out", target)
    found, crystal = build_geometry(command.settings)
    setup = json.dumps(scene(found, crystal), allow_nan=False).replace("<", "\\u003c")
    page = resources.files(__package__).joinpath("geometry.html").read_text(encoding="utf-8")
    with whole_file(target) as file:
        file.write(page.replace("{{setup}}", setup, 1).encode())
    print(f"wrote {target}")


def scene(found: Geometry, crystal: Crystal | None) -> dict[str, Any]:
    """Return what the page draws, lengths in mm in the laboratory frame.

    Parameters
    ----------
    found : Geometry
    crystal : Crystal or None

    Returns
    -------
    dict
        `panels`, corners in order with the first pixel's first; `vectors`, named unit vectors; `cell`, directions of
        a, b, c; `distance`; `facts`, pairs of words.
    """
    detector, beam = found.detector, found.beam
    panels = []
    for panel in detector.panels:
        fast = panel.n_fast * panel.pixel_sizes[0] * panel.fast
        slow = panel.n_slow * panel.pixel_sizes[1] * panel.slow
        corners = [panel.origin, panel.origin + fast, panel.origin + fast + slow, panel.origin + slow]
        panels.append([(1e3 * corner).tolist() for corner in corners])
    vectors = {"beam": beam.direction, "polarization": beam.polarization_axis, "spindle": found.goniometer.spindle}
    axes = None
    if crystal is not None:
        axes = (crystal.real_space / float(np.linalg.norm(crystal.real_space, axis=1).max())).tolist()
    spots = [_where_the_beam_meets(panel, beam.direction) for panel in detector.panels]
    return {
        "panels": panels,
        "vectors": {name: vector.tolist() for name, vector in vectors.items()},
        "cell": axes,
        "spot": next((spot for spot in spots if spot is not None), None),
        "facts": _facts(found, crystal),
    }


def _where_the_beam_meets(panel: Any, beam: Any) -> list[float] | None:
    """Return where the beam meets a panel [mm], None where it passes by."""
    facing = float(beam @ panel.normal)
    way = float(panel.origin @ panel.normal) / facing if facing != 0.0 else -1.0
    if way <= 0.0:
        return None
    at = way * beam - panel.origin
    fast, slow = float(at @ panel.fast) / panel.pixel_sizes[0], float(at @ panel.slow) / panel.pixel_sizes[1]
    inside = 0.0 <= fast <= panel.n_fast and 0.0 <= slow <= panel.n_slow
    return (1e3 * way * beam).tolist() if inside else None


def _facts(found: Geometry, crystal: Crystal | None) -> list[tuple[str, str]]:
    detector, beam = found.detector, found.beam
    panel = detector.panels[0]
    finest = min(
        float(spacing(one, beam)(np.array([0.0, 0.0, one.n_slow, one.n_slow]), np.array([0.0, one.n_fast] * 2)).min())
        for one in detector.panels
    )
    facts = [
        ("wavelength", f"{beam.wavelength * 1e10:.6g} Å"),
        ("distance along the beam", f"{panel.distance * 1e3:.6g} mm"),
        ("nearest point of the detector plane", f"{panel.close_distance * 1e3:.6g} mm"),
        ("panels", str(len(detector.panels))),
        ("pixels", f"{panel.n_fast} x {panel.n_slow}"),
        ("resolution in the farthest corner", f"{finest:.4g} Å"),
    ]
    if detector.curved:
        facts.append(("curved", "the picture shows the flat panel that it is bent from"))
    if found.goniometer.turns:
        turn = found.goniometer
        end = math.degrees(turn.phi + turn.osc)
        facts.append(("rotation", f"{math.degrees(turn.phi):g}° to {end:g}° about the spindle"))
    if crystal is not None:
        cell = " ".join(f"{value:.5g}" for value in (*crystal.lengths_A, *map(math.degrees, crystal.angles)))
        facts.append(("cell", f"{cell} (Å, °), drawn at phi = 0"))
    return facts
