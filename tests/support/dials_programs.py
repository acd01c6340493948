"""DIALS' programs, from Debian's package `dials`, and what they find in a data set.

The other functions are called by the tests; run as a program by the Python of the system, this module reads the files
that DIALS has left in a folder and prints what it finds as JSON.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PYTHON = "/usr/bin/python3"
PROGRAMS = ("dials.import", "dials.find_spots", "dials.index", "dials.refine", "dials.integrate")


@functools.cache
def missing() -> str | None:
    """Say why DIALS cannot be run here; None where it can."""
    absent = [name for name in PROGRAMS if not os.access(f"/usr/bin/{name}", os.X_OK)]
    return f"no /usr/bin/{absent[0]}: apt-get install dials" if absent else None


def _environment() -> dict[str, str]:
    import hdf5plugin

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    return kept | {"PATH": "/usr/bin:/bin", "HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH}


def process(folder: Path, images: Sequence[Path], cell: Sequence[float]) -> None:
    """Import, find, index, refine and integrate images, in a folder that receives the files."""
    unit_cell = ",".join(map(str, cell))
    run(
        folder,
        ["dials.import", *map(str, images)],
        ["dials.find_spots", "imported.expt", "nproc=1"],
        ["dials.index", "imported.expt", "strong.refl", "space_group=P1", f"unit_cell={unit_cell}"],
        ["dials.refine", "indexed.expt", "indexed.refl", "scan_varying=False"],
        ["dials.integrate", "refined.expt", "refined.refl", "nproc=1"],
    )


def run(folder: Path, *commands: Sequence[str]) -> None:
    """Run programs one after another in a folder."""
    for command in commands:
        ran = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{command[0]}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"


def ask(script: str, *arguments: object) -> Any:
    """Run a script in the Python of the system, and return what its last line says as JSON."""
    ran = subprocess.run(
        [PYTHON, "-c", script, *map(str, arguments)], env=_environment(), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


def found(folder: Path, truth: Path) -> dict[str, Any]:
    """Return what DIALS has found beside the truth.

    Returns
    -------
    dict
        `strong` and `indexed` (numbers of spots), `images` (of the scan), `cell` (6), `misorientation_deg`,
        `beam_centers_px` (refined, true), and of integrated reflections that are whole `hkl` and `intensity`.
    """
    ran = subprocess.run(
        [PYTHON, __file__, str(folder), str(truth)], env=_environment(), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _look(folder: Path, truth_file: str) -> dict[str, Any]:
    import numpy as np
    from dials.array_family import flex
    from dxtbx.model.experiment_list import ExperimentListFactory

    def experiment(name: str) -> Any:
        return ExperimentListFactory.from_json_file(name, check_format=False)[0]

    refined, truth = experiment(str(folder / "refined.expt")), experiment(truth_file)
    indexed = flex.reflection_table.from_file(str(folder / "indexed.refl"))
    integrated = flex.reflection_table.from_file(str(folder / "integrated.refl"))
    A = [np.array(model.crystal.get_A()).reshape(3, 3) for model in (refined, truth)]
    # The same lattice may be described by other axes: true indices are M times those of DIALS.
    M = np.round(np.linalg.inv(A[1]) @ A[0])
    true = A[1] @ M
    turn = A[0] @ np.linalg.inv(true)
    u, _, v = np.linalg.svd(turn)
    angle = np.degrees(np.arccos(min(1.0, (np.trace(u @ v) - 1.0) / 2.0)))
    whole = integrated.get_flags(integrated.flags.integrated_prf) & (integrated["partiality"] > 0.99)
    good = integrated.select(whole)
    hkl = np.array(list(good["miller_index"])) @ M.T
    intensity = np.array(good["intensity.prf.value"]) * np.array(good["lp"])
    return {
        "strong": len(indexed),
        "indexed": int((indexed.get_flags(indexed.flags.indexed)).count(True)),
        "images": refined.scan.get_num_images(),
        "cell": refined.crystal.get_unit_cell().parameters(),
        "determinant": float(np.linalg.det(M)),
        "misorientation_deg": float(angle),
        "beam_centers_px": [model.detector[0].get_beam_centre_px(model.beam.get_s0()) for model in (refined, truth)],
        "hkl": hkl.astype(int).tolist(),
        "intensity": intensity.tolist(),
    }


if __name__ == "__main__":
    print(json.dumps(_look(Path(sys.argv[1]), sys.argv[2])))
