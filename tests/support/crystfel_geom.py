"""Geometry files of CrystFEL read by rules of their own, for tests."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np


def parse_geom(path: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return what stands for all, and what for each panel."""
    common: dict[str, str] = {}
    panels: dict[str, dict[str, str]] = {}
    for line in path.read_text().splitlines():
        line = line.partition(";")[0].strip()
        if line:
            key, value = (part.strip() for part in line.split("=", 1))
            name, slash, field = key.partition("/")
            if slash:
                panels.setdefault(name, {})[field] = value
            else:
                common[key] = value
    return common, panels


def direction(text: str) -> np.ndarray:
    """Return a vector of the form "+0.5x -0.5y +1z", in which exponents are not allowed."""
    found = re.findall(r"([+-]?[\d.]*)([xyz])", text.replace(" ", ""))
    assert "".join(number + axis for number, axis in found) == text.replace(" ", "")
    vector = dict.fromkeys("xyz", 0.0)
    for number, axis in found:
        vector[axis] += float(number)
    return np.array(list(vector.values()))


def geom_position(common: dict[str, str], panel: dict[str, str], fast: float, slow: float) -> np.ndarray:
    length, unit_of_length = common["clen"].split()
    assert unit_of_length == "m"
    pixel = 1.0 / float(panel["res"])
    corner = np.array([float(panel["corner_x"]), float(panel["corner_y"]), 0.0])
    offset = np.array([0.0, 0.0, float(length) + float(panel["coffset"])])
    return pixel * (corner + fast * direction(panel["fs"]) + slow * direction(panel["ss"])) + offset
