"""Models of a few atoms."""

from __future__ import annotations

import numpy as np

GROUPS = {
    "P 1": (24.0, 27.0, 31.0, 82.0, 97.0, 104.0),
    "P 1 21 1": (24.0, 27.0, 31.0, 90.0, 103.0, 90.0),
    "P 21 21 21": (24.0, 27.0, 31.0, 90.0, 90.0, 90.0),
}


def pdb_text(group: str = "P 21 21 21", atoms: int = 12, seed: int = 5) -> str:
    """Return a model of a few atoms near one another; metal, partial and anisotropic ones among them."""
    random = np.random.default_rng(seed)
    a, b, c, alpha, beta, gamma = GROUPS[group]
    lines = [f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} {group:<11}"]
    for i in range(atoms):
        element = ("N", "C", "C", "O", "S", "ZN")[i % 6]
        x, y, z = np.array([8.0, 9.0, 10.0]) + random.normal(size=3) * 3.0
        occupancy, B = (0.5 if i % 4 == 3 else 1.0), 12.0 + 3.0 * i
        lines.append(
            f"HETATM{i + 1:5d} {element:>2}{i % 10:<2d} LIG A{i + 1:4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}{occupancy:6.2f}{B:6.2f}          {element:>2}"
        )
        if i == 2:
            U = "".join(f"{value:7d}" for value in (2000, 1500, 2500, 300, -200, 100))
            lines.append(f"ANISOU{i + 1:5d} {element:>2}{i % 10:<2d} LIG A{i + 1:4d}  {U}      {element:>2}")
    return "\n".join([*lines, "END", ""])
