"""What SMV and CBF headers can state of an experiment, and what not: they know one flat detector across the beam."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping

import numpy as np

from ..crystal.model import Crystal
from ..detector.model import Detector
from ..errors import called
from ..experiment.command_line import given_as
from ..experiment.geometry import Geometry, Goniometer
from ..experiment.ground_truth import GroundTruth
from ..geometry.panel import PanelGeometry
from ..geometry.vectors import Array, cross, dot, unit
from ..parameters.choices import PhiSampling
from ..parameters.command import CommandLine
from ..parameters.fill import filled, prefer_typed_distance
from ..parameters.settings import Settings
from ..util.messages import logger

_NO_BIAS = 1e-6  # deg
_LINE = 160  # characters of a command on one line
_LONGEST_COMMAND = 4000  # characters; readers have buffers of fixed size

_SQUARE = 1e-7  # cosine; more than vectors typed to seven digits are off by, less than a thousandth of a pixel

# Signs that separate keys from values, or end a line or a header, somewhere.
_FORBIDDEN = re.compile(r"[^A-Za-z0-9 _.,+/'\"-]")
# Words that some reader looks for anywhere in a header.
_KEYWORDS = re.compile(
    "HEADER_BYTES|BYTE_ORDER|DIM|TYPE|SIZE|DISTANCE|WAVELENGTH|CENTER|ORG|PHI|OSC|TWOTHETA|ADC|PEDESTAL|GAIN"
    "|DETECTOR|BEAM|TIME|DATE|DENZO|DTREK|DIALS|DIRECT_SPACE|PILATUS|SLS|SSRL|XDS|GENERIC|EIGER|Eiger"
    "|Detector|Pixel_size|Silicon|CdTe|CCD|Exposure|Count_cutoff|Wavelength|Beam_xy|Start_angle|Angle_increment"
    "|Flux|ransmission|Polarization|Phi|Kappa|Chi|Omega|Alpha|Oscillation|Threshold|Gain|Tau|xcluded|Trim|Flat_field"
    "|Image_path|_diffrn|_array_data|CIF-BINARY|X-Binary|Content|S/N"
)


def header_warnings(
    detector: Detector, beam_direction: Array, kind: str, goniometer: Goniometer | None = None
) -> list[str]:
    """Return warnings about what readers of a plain header will get wrong.

    Parameters
    ----------
    detector : Detector
        Its first panel counts.
    beam_direction : (3,)
        Unit vector.
    kind : str
        Name of the format, "SMV" or "CBF".
    goniometer : Goniometer, optional
        Its axis counts where the crystal turns.

    Returns
    -------
    list of str
        One line each, none where the header states everything.
    """
    panel = detector.panels[0]
    lines = []
    # The normal of the options need not be that of fast and slow.
    if detector.curved or max(abs(dot(axis, beam_direction)) for axis in (panel.fast, panel.slow)) > _SQUARE:
        lines.append(
            f"{kind} headers cannot tell that a detector is tilted or curved: readers will take it for a flat, "
            "upright one"
        )
    if panel.is_skew:
        lines.append(
            f"{kind} headers cannot tell that fast and slow are not at right angles: readers will take them so"
        )
    if dot(cross(panel.fast, panel.slow), beam_direction) < 0.0:
        lines.append(
            f"{kind} headers cannot tell which way a detector faces: fast, slow and beam are left-handed here, and "
            "readers will take the image for its mirror image"
        )
    if goniometer is not None and goniometer.osc != 0.0 and dot(goniometer.spindle, panel.fast) < 1.0 - 1e-9:
        lines.append(f"{kind} headers cannot tell the spindle axis: readers will take it to lie along fast")
    return lines


def note_phi_bias(goniometer: Goniometer) -> None:
    """Tell by how much other programs misjudge the crystal's rotation, where it is drawn at the start of each step."""
    bias = math.degrees(goniometer.bias)
    if goniometer.sampling is PhiSampling.EDGE and abs(bias) > _NO_BIAS:
        logger.warning(
            f"{called('phi_sampling')} edge: the crystal is drawn at the start of each phi step; to programs that "
            f"read the range from a file it is turned by {-bias:.4g} deg; {called('phi_sampling')} mid draws the middle"
        )


def gives_beam_center(command: CommandLine) -> bool:
    """Whether a command line states where the beam meets the detector, so that a header does not count."""
    settings = command.settings
    return (
        settings.detector.beam_center_given
        or settings.detector.beam_fast is not None
        or settings.detector.beam_slow is not None
        or settings.detector.pix0_vector is not None
        or bool(settings.detector.panels)
    )


def settings_beside(typed: CommandLine, said: Mapping[str, float | str]) -> Settings:
    """Return the settings of what a file says, parameter by parameter, and of what was typed, which wins."""
    # As a command line in which the file comes first.
    front = [dataclasses.replace(given_as(name, value), spelling=called(name)) for name, value in said.items()]
    draft = filled([*front, *typed.given], [])
    if not typed.gives("close_distance_mm"):
        prefer_typed_distance(draft)
    return draft.settings()


def reading_frame(panel: PanelGeometry, beam_direction: Array) -> Array:
    """Return the axes of the frame in which DIALS puts an image with a plain header, (3, 3).

    x runs along fast, y against slow, z against the beam; the rows are these axes in our laboratory frame, so that
    `reading_frame(panel, beam) @ v` is a vector there. Of a tilted panel the part across the beam counts.
    Where fast, slow and beam are left-handed, so is the frame.
    """
    z = -unit(beam_direction)
    x = unit(panel.fast - dot(panel.fast, z) * z)
    y = cross(z, x)
    return np.array([x, y if dot(y, panel.slow) < 0.0 else -y, z])


def truth_lines(geometry: Geometry, crystal: Crystal | None, truth: GroundTruth) -> list[tuple[str, str]]:
    """Return what is known of an image, as keys and values for the lines of a header.

    Parameters
    ----------
    geometry : Geometry
    crystal : Crystal or None
    truth : GroundTruth

    Returns
    -------
    list of (key, value)
        Keys begin with NBNUMBA_, but for DIRECT_SPACE_ABC: the nine numbers of a, b and c [Angstrom] at the
        spindle angle 0, in the `reading_frame`; NBNUMBA_ABC holds them in the laboratory frame of the command
        line. None of the words that readers look for occurs in any of them, and neither do "=", ":", ";", "#" or
        braces: in the command, which may take several lines, they are percent-encoded, as in a web address.
        What is not known is left out.
    """
    real = in_command = None if crystal is None else crystal.real_space * 1e10
    if real is not None and truth.A_matrix is not None and not np.allclose(real @ truth.A_matrix, np.eye(3)):
        in_command = np.asarray(np.linalg.inv(truth.A_matrix))  # the laboratory is that of a file
    frame = reading_frame(geometry.detector.panels[0], geometry.beam.direction)
    known: dict[str, Array | float | int | str | None] = {
        "DIRECT_SPACE_ABC": None if real is None else real @ frame.T,
        "NBNUMBA_ABC": in_command,
        "NBNUMBA_U": truth.U_matrix,
        "NBNUMBA_CELL": truth.cell,
        "NBNUMBA_N": None if truth.cells is None else ",".join(map(str, truth.cells)),
        "NBNUMBA_SHAPE": truth.shape,
        "NBNUMBA_MOSAIC_DEG": truth.mosaic_spread_deg,
        "NBNUMBA_MOSAIC_DOMAINS": truth.mosaic_domains,
        "NBNUMBA_MOSAIC_SEED": truth.mosaic_seed,
        "NBNUMBA_MOSAIC_MODEL": None if truth.mosaic is None else encoded(truth.mosaic),
        "NBNUMBA_DIFFUSE": None if truth.diffuse is None else encoded(truth.diffuse),
        "NBNUMBA_CRYSTALS": None if truth.crystals is None else encoded(truth.crystals),
        "NBNUMBA_MISSET_SEED": truth.misset_seed,
        "NBNUMBA_FLUENCE": truth.fluence,
        "NBNUMBA_NOISE_SEED": truth.noise_seed,
        "NBNUMBA_NOISE_RNG": truth.noise_rng,
        "NBNUMBA_NOISE_NUMBER": truth.noise_number,
        "NBNUMBA_BACKGROUND": None if truth.background is None else encoded(truth.background),
        "NBNUMBA_READOUT": None if truth.readout is None else encoded(truth.readout),
        "NBNUMBA_SAMPLED_AT": truth.phi_sampling,
        "NBNUMBA_SEMANTICS": truth.semantics,
        "NBNUMBA_BACKEND": truth.backend,
        "NBNUMBA_PRECISION": truth.precision,
        "NBNUMBA_VERSION": encoded(truth.version),
    }
    lines = [(key, _text(value)) for key, value in known.items() if value is not None]
    return lines + ([] if truth.command is None else _command_lines(truth.command))


def _text(value: Array | float | int | str) -> str:
    """Return numbers with twelve digits, whole ones and texts as they are."""
    if isinstance(value, (str, int)):
        return str(value)
    return ",".join(f"{number + 0.0:.12g}" for number in np.asarray(value).reshape(-1))


def _command_lines(command: str) -> list[tuple[str, str]]:
    """Spread a command over lines; one that is too long for a header is left out."""
    text = encoded(command)
    if not text or len(text) > _LONGEST_COMMAND:
        return []
    lines = []
    while text:
        end = _LINE
        # Neither inside an encoded sign nor beside a space, which a reader may strip.
        while len(text) > end and (" " in text[end - 1 : end + 1] or "%" in text[end - 2 : end]):
            end += 1
        lines.append(text[:end])
        text = text[end:]
    return [(f"NBNUMBA_COMMAND_{number}", line) for number, line in enumerate(lines, 1)]


def encoded(text: str) -> str:
    """Return a text that no reader of headers can trip over; `urllib.parse.unquote` undoes it.

    File names may hold bytes that are no UTF-8; they come out as they are on the disk.
    """
    text = _FORBIDDEN.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "surrogateescape")), text
    )
    text = _KEYWORDS.sub(lambda found: f"%{ord(found.group()[0]):02X}{found.group()[1:]}", text)
    # At the ends spaces would be lost.
    inner = text.strip(" ")
    if inner != text:
        start = len(text) - len(text.lstrip(" "))
        text = "%20" * start + inner + ("%20" * (len(text) - start - len(inner)) if inner else "")
    return text
