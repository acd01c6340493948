"""Materials around the crystal and the readout of the detector, from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material, check_range, parse
from ..background.water import Water
from ..detector.model import Detector
from ..errors import InputError, called
from ..io.contents import content_of
from ..parameters.presets import PRESETS, Preset
from ..parameters.settings import ReadoutSettings, Settings
from ..readout.model import Readout
from ..util.messages import logger
from .model import Experiment

if TYPE_CHECKING:
    from ..readout.psf import PointSpread

_NOTHING = Settings().readout
_SHORTEST, _LONGEST = 1e-18, 1e9  # s, of an exposure in which photons are counted


def build_background(settings: Settings) -> tuple[Water | Material, ...]:
    """Return the cube of -water and the materials of -background, whose tables are read."""
    background = settings.background
    materials: list[Water | Material] = [] if background.water_size == 0.0 else [Water(background.water_size)]
    materials += [parse(text) for text in background.materials]
    for name in ("water", "air", "ice"):
        thickness = getattr(background, f"{name}_thick")
        if thickness > 0.0:
            materials.append(parse(f"{name}:{thickness * 1e3!r}", called(f"{name}_layer_mm")))
    return tuple(materials)


def check_background(experiment: Experiment) -> None:
    """Refuse a table that does not reach as far as the image, or warn where it is continued as nonBragg does."""
    from ..parameters.choices import Semantics
    from .scene import build_surroundings

    materials = [material for material in experiment.background if isinstance(material, Material)]
    if not materials:
        return
    highest = 1e-10 / float(experiment.beam.sources.wavelengths.min())  # 1/A, of any detector
    materials = [material for material in materials if not material.reaches(highest)]
    if materials:
        scenes = build_surroundings(experiment)
        for material in materials:
            check_range(material, scenes, exact=experiment.semantics is Semantics.EXACT)


def build_readout(settings: Settings, detector: Detector) -> Readout | None:
    """Return what the detector does to the photons, None where it only counts them.

    Parameters
    ----------
    settings : Settings
    detector : Detector

    Raises
    ------
    InputError
        For a point spread that is none, whose kernel file is malformed or not named, or whose width is no number of
        pixels.
    FileError
        The kernel file cannot be read.
    """
    given = settings.readout
    if given is _NOTHING or replace(given, detector_preset=None, beamstop=0.0) == _NOTHING:
        return None
    rates = check_rates(settings)
    return Readout(
        flicker=given.flicker,
        flicker_pixels=given.flicker_pixels,
        spread=_spread(given, detector),
        spread_first=given.psf_stage == "photons",
        calibration=given.calibration,
        calibration_seed=given.calibration_seed,
        dead_time=given.dead_time,
        exposure=settings.beam.exposure if rates else 1.0,
        rate_limit=given.rate_limit,
        gain=given.gain,
        dark=given.dark_current,
        readout=given.readout_noise,
        saturation=given.saturation,
        dead_pixels=given.dead_pixels,
        hot_pixels=given.hot_pixels,
        bad_seed=given.bad_seed,
    )


def check_rates(settings: Settings) -> bool:
    """Tell whether counts depend on their rate.

    Raises
    ------
    InputError
        They do, and there is no exposure.
    """
    given = settings.readout
    rates = [name for name, value in (("dead_time_ns", given.dead_time), ("rate_limit", given.rate_limit)) if value]
    if rates and not settings.beam.exposure > 0.0:
        raise InputError("exposure_s", f"{settings.beam.exposure:g} s;", f"{called(rates[0])} needs one above 0")
    if rates and not _SHORTEST <= settings.beam.exposure <= _LONGEST:
        allowed = f"{_SHORTEST:g} to {_LONGEST:g} s"
        raise InputError("exposure_s", f"{settings.beam.exposure:g} s;", f"{called(rates[0])} needs {allowed}")
    return bool(rates)


def _spread(given: ReadoutSettings, detector: Detector) -> PointSpread | None:
    if given.psf is None:
        if given.psf_file is not None:
            raise InputError("psf_file", given.psf_file, f"goes with {called('psf', 'file')}")
        plain = ReadoutSettings()
        names = {"psf_fwhm_um": "psf_fwhm", "psf_radius": "psf_radius", "psf_stage": "psf_stage"}
        idle = [called(name) for name, field in names.items() if getattr(given, field) != getattr(plain, field)]
        if idle:
            logger.warning(f"{', '.join(idle)}: without effect, as {called('psf')} is not given")
        return None
    if given.psf.startswith("charge") and given.psf_stage == "counts":
        raise InputError(
            "psf_stage", "counts", f"contradicts {called('psf', given.psf)}, which comes before the counts"
        )
    if (given.psf == "file") != (given.psf_file is not None):
        raise InputError(f"{called('psf_file')}: names the kernel of {called('psf', 'file')}, and is needed by it")
    from ..readout.psf import WIDEST, read_kernel
    from ..readout.psf import parse as parse_psf

    kernel = None if given.psf_file is None else content_of(read_kernel, given.psf_file, called("psf_file"))
    pixel = detector.panels[0].pixel_sizes[0]
    sizes = [size for panel in detector.panels for size in panel.pixel_sizes]
    if given.psf != "file" and max(sizes) - min(sizes) > 1e-9 * pixel:
        raise InputError("psf", given.psf, "goes with square pixels of one size; the detector has others")
    fwhm = given.psf_fwhm / pixel
    if given.psf != "file" and not 0.0 < fwhm <= WIDEST:
        raise InputError("psf_fwhm_um", f"{given.psf_fwhm * 1e6:g} um:", f"allowed are above 0 to {WIDEST:g} pixels")
    return parse_psf(given.psf, fwhm, called("psf"), radius=given.psf_radius, kernel=kernel)


def with_gaps(settings: Settings, detector: Detector, readout: Readout | None) -> Detector:
    """Mask gaps between modules, the beamstop, and pixels that do not work."""
    given = settings.readout
    bad = readout is not None and (readout.dead_pixels or readout.hot_pixels)
    if given.detector_preset is None and not bad and given.beamstop == 0.0:
        return detector
    if len(detector.panels) > 1:
        wanted = {
            "detector_preset": given.detector_preset is not None,
            "beamstop_mm": given.beamstop > 0.0,
            "dead_pixels": given.dead_pixels > 0,
            "hot_pixels": given.hot_pixels > 0,
        }
        names = ", ".join(called(name) for name, is_given in wanted.items() if is_given)
        raise InputError(f"{names}: allowed with a detector of one panel; this one has {len(detector.panels)}")
    panel = detector.panels[0]
    mask = np.ones((panel.n_slow, panel.n_fast), dtype=np.bool_) if panel.mask is None else panel.mask.copy()
    gaps = panel.gaps if given.detector_preset is None else ~modules(PRESETS[given.detector_preset])
    hide(mask, given, panel.pixel_sizes, (detector.center.Fbeam, detector.center.Sbeam))
    if readout is not None and bad:
        from ..readout.chain import bad_pixels

        for places in bad_pixels(mask.size, readout):
            mask.reshape(-1)[places] = False
    return replace(detector, panels=(replace(panel, mask=mask, gaps=gaps),))


def hide(mask: NDArray[np.bool_], given: ReadoutSettings, pixel: Sequence[float], center: tuple[float, float]) -> None:
    """Take out of a mask the gaps of a detector by name and what lies behind the beamstop.

    Parameters
    ----------
    mask : (n_slow, n_fast)
        Changed.
    given : ReadoutSettings
    pixel, center : (fast, slow) [m]
        Of a pixel; of the beam, from the corner of the detector.

    Raises
    ------
    InputError
        The beamstop covers the whole detector.
    """
    if given.detector_preset is not None:
        mask &= modules(PRESETS[given.detector_preset])
    if given.beamstop > 0.0:
        mask &= outside_disc(mask.shape, pixel, center, given.beamstop)
        if not mask.any():
            raise InputError("beamstop_mm", f"{given.beamstop * 1e3:g} mm:", "covers the whole detector")


def modules(preset: Preset) -> NDArray[np.bool_]:
    """Return where a detector has pixels, (n_slow, n_fast): not in the gaps between its modules."""
    along = [
        np.arange(size) % (module + gap) < module
        for size, module, gap in zip(preset.size, preset.module, preset.gap, strict=True)
    ]
    return np.asarray(along[1][:, None] & along[0][None, :])


def outside_disc(
    shape: tuple[int, ...], pixel: Sequence[float], center: tuple[float, float], radius: float
) -> NDArray[np.bool_]:
    """Return the pixels whose center lies outside a disc, (n_slow, n_fast).

    Parameters
    ----------
    shape : (n_slow, n_fast)
    pixel, center : (fast, slow) [m]
        Of a pixel; of the disc, from the corner of the detector.
    radius : float [m]
    """
    fast = (np.arange(shape[1]) + 0.5) * pixel[0] - center[0]
    slow = (np.arange(shape[0]) + 0.5) * pixel[1] - center[1]
    return np.asarray(fast[None, :] ** 2 + slow[:, None] ** 2 > radius * radius)
