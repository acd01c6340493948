"""Read files with dxtbx, DIALS' own reader, in the Python of the system, which Debian's python3-cctbx serves.

`read` is called by the tests; run as a program, this module is the second process: it reads a list of requests
as JSON from standard input and answers with a list of what it found.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

PYTHON = "/usr/bin/python3"


@functools.cache
def missing() -> str | None:
    """Say why dxtbx cannot be used here; None where it can."""
    if not os.access(PYTHON, os.X_OK):
        return f"no {PYTHON}"
    try:
        found = subprocess.run(
            [PYTHON, "-c", "import dxtbx.format.FormatNXmx, pint, h5py"],
            capture_output=True,
            env=_environment(),
            check=False,
        )
    except OSError as error:
        return f"{PYTHON}: {error}"
    return (
        None
        if found.returncode == 0
        else f"{PYTHON} has no dxtbx: apt-get install python3-cctbx python3-h5py python3-pint"
    )


def read(
    files: Iterable[tuple[Path | str, Sequence[tuple[int, float, float]]]], *, data: bool = True
) -> list[dict[str, Any]]:
    """Read files, all in one process, whose start takes seconds.

    Parameters
    ----------
    files : iterable of (path, points)
        A point is (panel, fast, slow) in pixels, the corner of the first pixel being (0, 0). File names must end
        in a number, `shot_0001.img`, else the reader takes them for something else.
    data : bool
        Whether pixels are wanted.

    Returns
    -------
    list of dict
        Of each file: `format` (name of the class that read it), `images` and `experiments` (their number),
        `panels` (dicts with `name`, `origin_mm`, `fast`, `slow`, `pixel_size_mm`, `image_size` (fast, slow),
        `trusted_range`, `gain`, `pedestal`, `thickness_mm`, `material`), `points_mm` (position of each point in
        the frame of imgCIF), `wavelengths_A` (of each image),
        `spectra` (`energies_ev` and `weights` of each image, or None), `polarization_fraction`, `polarization_normal`,
        `sample_to_source`, `goniometer` (`axis`, `fixed`; or None), `scan` (`image_range`, `oscillation_deg`,
        `exposure_times`; or None), `still` (whether dxtbx takes the file for stills), `mask` (of each panel
        [slow][fast], True is good; or None), `data` ([image][panel][slow][fast]). Of a file that cannot be read
        only `error`.
    """
    requests = [{"path": str(path), "points": [list(map(float, point)) for point in points]} for path, points in files]
    answer = subprocess.run(
        [PYTHON, __file__],
        input=json.dumps({"data": data, "requests": requests}),
        capture_output=True,
        env=_environment(),
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise RuntimeError(f"dxtbx ended with status {answer.returncode}:\n{answer.stderr}")
    results: list[dict[str, Any]] = json.loads(answer.stdout.rpartition("\n@answer ")[2])
    return results


def _environment() -> dict[str, str]:
    """Return an environment in which the system's Python finds its own packages, and HDF5 the filters."""
    import hdf5plugin

    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON") and key != "VIRTUAL_ENV"}
    return {**kept, "HDF5_PLUGIN_PATH": str(hdf5plugin.PLUGIN_PATH)}


def _describe(request: dict[str, Any], with_data: bool) -> dict[str, Any]:
    from dxtbx.format.FormatMultiImage import FormatMultiImage
    from dxtbx.model.experiment_list import ExperimentListFactory

    experiments = ExperimentListFactory.from_filenames([request["path"]])
    reader = experiments[0].imageset.get_format_class().get_instance(request["path"])
    # A reader of one image a file takes no index.
    indices = [(i,) for i in range(reader.get_num_images())] if isinstance(reader, FormatMultiImage) else [()]
    detector, scan, goniometer = reader.get_detector(), reader.get_scan(), reader.get_goniometer()
    beams = [reader.get_beam(*index) for index in indices]
    beam = beams[0]

    found: dict[str, Any] = {
        "format": type(reader).__name__,
        "images": len(indices),
        "experiments": len(experiments),
        "panels": [_panel(panel) for panel in detector],
        "points_mm": [list(detector[int(p)].get_pixel_lab_coord((fast, slow))) for p, fast, slow in request["points"]],
        "wavelengths_A": [each.get_wavelength() for each in beams],
        "spectra": [_spectrum(request["path"], index) for index in range(len(indices))],
        "polarization_fraction": beam.get_polarization_fraction(),
        "polarization_normal": list(beam.get_polarization_normal()),
        "sample_to_source": list(beam.get_sample_to_source_direction()),
        "goniometer": None,
        "scan": None,
        "still": bool(experiments.all_stills()),
        "mask": None,
    }
    if goniometer is not None:
        found["goniometer"] = {
            "axis": list(goniometer.get_rotation_axis()),
            "fixed": list(goniometer.get_fixed_rotation()),
        }
    if scan is not None:
        found["scan"] = {
            "image_range": list(scan.get_image_range()),
            "oscillation_deg": list(scan.get_oscillation()),
            "exposure_times": list(scan.get_exposure_times()),
        }
    mask = reader.get_static_mask() if hasattr(reader, "get_static_mask") else None
    if mask:
        found["mask"] = [panel.as_numpy_array().tolist() for panel in mask]
    if with_data:
        raw = [reader.get_raw_data(*index) for index in indices]
        found["data"] = [
            [panel.as_numpy_array().tolist() for panel in (image if isinstance(image, tuple) else (image,))]
            for image in raw
        ]
    return found


def _spectrum(path: str, index: int) -> dict[str, Any] | None:
    """Read the spectrum of an image of an NXmx file with the class that dxtbx has for it."""
    import types

    import h5py
    from dxtbx.format.nexus import BeamFactory

    if not path.endswith(".h5"):
        return None
    with h5py.File(path) as file:
        factory = BeamFactory(types.SimpleNamespace(handle=file["/entry/instrument/beam"]))
        _, spectrum = factory.read_models(index)
    if spectrum is None:
        return None
    return {"energies_ev": list(spectrum.get_energies_eV()), "weights": list(spectrum.get_weights())}


def _panel(panel: Any) -> dict[str, Any]:
    return {
        "name": panel.get_name(),
        "origin_mm": list(panel.get_origin()),
        "fast": list(panel.get_fast_axis()),
        "slow": list(panel.get_slow_axis()),
        "pixel_size_mm": list(panel.get_pixel_size()),
        "image_size": list(panel.get_image_size()),
        "trusted_range": list(panel.get_trusted_range()),
        "gain": panel.get_gain(),
        "pedestal": panel.get_pedestal(),
        "thickness_mm": panel.get_thickness(),
        "material": panel.get_material(),
    }


def _answer() -> None:
    task = json.load(sys.stdin)
    results = []
    for request in task["requests"]:
        try:
            results.append(_describe(request, task["data"]))
        except Exception as error:  # each file for itself: the tests judge what is said
            results.append({"error": f"{type(error).__name__}: {error}"})
    # Libraries print what they like before this line.
    print("\n@answer " + json.dumps(results))


if __name__ == "__main__":
    sys.path.pop(0)  # modules of the tests must not stand in for those of the system
    _answer()
