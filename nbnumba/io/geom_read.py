"""Reads geometry files of CrystFEL: panels, bad regions and groups.

The frame is CrystFEL's: z along the beam, y up, x to complete it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..geometry.panel import PlacedPanel
from ..util.text import quote
from .atomic import PathLike
from .opening import label

Array = NDArray[np.float64]

_HC_EV_A = 12398.419843320026
_LENGTHS = {"": 1.0, "m": 1.0, "mm": 1e-3}  # units of clen
_LARGEST = 1e9  # pixels, and whatever else a number of the file may be
_MOST_PIXELS = 2**31 - 1  # of all panels
_MOST_PANELS = 100_000
_TERM = re.compile(r"([+-])((?:\d+\.?\d*|\.\d+)?)([xyz])")
_INTEGERS = ("min_fs", "max_fs", "min_ss", "max_ss")
_PLACES = ("corner_x", "corner_y", "coffset", "res")
_PANEL_KEYS = frozenset((*_INTEGERS, *_PLACES, "fs", "ss", "clen", "no_index", "mask_edge_pixels"))


@dataclass(frozen=True)
class Geom:
    """What a geometry file says.

    Attributes
    ----------
    panels : tuple of PlacedPanel
        In the order in which the file names them.
    wavelength_A : float or None
        None where it stands in the data file, or nowhere.
    remarks : tuple of str
        What of the file does not count.
    """

    panels: tuple[PlacedPanel, ...]
    wavelength_A: float | None
    remarks: tuple[str, ...]


@dataclass
class _Entries:
    """The lines of a panel or a bad region: key -> line number and value."""

    values: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass
class _File:
    """The lines of a file, sorted by what they are about."""

    where: str
    top: dict[str, tuple[int, str]] = field(default_factory=dict)
    panels: dict[str, _Entries] = field(default_factory=dict)
    bad: dict[str, _Entries] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, line: int, what: str) -> NoReturn:
        raise InputError(f"{self.where}, line {line}: {what}")

    def number(self, line: int, key: str, text: str) -> float:
        """Return a number, which CrystFEL takes from the beginning of the value."""
        try:
            value = float(text.split()[0])
        except (ValueError, IndexError):
            self.fail(line, f"{key} is {quote(text)}; a number is needed")
        if not abs(value) <= _LARGEST:
            self.fail(line, f"{key} is {value:g}; a finite number up to {_LARGEST:g} is needed")
        return value


def is_geom(text: str) -> bool:
    """Tell whether a text can only be meant as a geometry file: it says where a panel's pixels are in the data."""
    return re.search(r"^\s*[^\s;/=]+/(min|max)_[fs]s\s*=", text, re.MULTILINE) is not None


def parse(text: str, path: PathLike, option: str = "", camera_length: float | None = None) -> Geom:
    """Read the text of a file.

    Parameters
    ----------
    text : str
    path : str or path
    option : str
        What named the file, for messages.
    camera_length : float, optional [m]
        Takes the place of the file's clen.

    Raises
    ------
    InputError
        A line is malformed, a panel lacks something or holds no pixel, or a length stands in the data file.
    """
    file = _sorted_lines(text, label(option, path))
    if not file.panels:
        raise InputError(f"{file.where}: names no panel")
    if len(file.panels) > _MOST_PANELS:
        raise InputError(f"{file.where}: names {len(file.panels)} panels; at most {_MOST_PANELS}")
    corners: dict[str, tuple[int, int]] = {}
    panels: dict[str, PlacedPanel] = {}
    for name, entries in file.panels.items():
        panels[name], corners[name] = _panel(file, name, entries.values, camera_length)
    if sum(panel.n_fast * panel.n_slow for panel in panels.values()) > _MOST_PIXELS:
        raise InputError(f"{file.where}: holds more than {_MOST_PIXELS} pixels")
    _mark_bad(file, panels, corners)
    return Geom(tuple(panels.values()), _wavelength_A(file), tuple(_remarks(file)))


def _sorted_lines(text: str, where: str) -> _File:
    """Sort the lines; what stands above a panel's first line holds for it unless it says otherwise."""
    file = _File(where)
    defaults: dict[str, tuple[int, str]] = {}
    for line, content in enumerate(text.splitlines(), 1):
        content = content.partition(";")[0].strip()
        if not content:
            continue
        key, sign, value = (part.strip() for part in content.partition("="))
        if not sign or not key:
            file.fail(line, f"{quote(content)} is none of the lines KEY = VALUE and PANEL/KEY = VALUE")
        name, slash, of_panel = key.partition("/")
        if not slash:
            if key.startswith("group_"):
                file.groups[key.removeprefix("group_")] = [member.strip() for member in value.split(",")]
            elif key.startswith("rigid_group_") and not key.startswith("rigid_group_collection"):
                file.groups.setdefault(
                    key.removeprefix("rigid_group_"), [member.strip() for member in value.split(",")]
                )
            elif key in _PANEL_KEYS:
                defaults[key] = line, value
            file.top[key] = line, value
        elif name.startswith("bad"):
            file.bad.setdefault(name, _Entries()).values[of_panel] = line, value
        else:
            file.panels.setdefault(name, _Entries(dict(defaults))).values[of_panel] = line, value
    return file


def _panel(
    file: _File, name: str, values: dict[str, tuple[int, str]], camera_length: float | None
) -> tuple[PlacedPanel, tuple[int, int]]:
    """Return a panel, and the fast and slow index of its first pixel in the data."""
    numbers: dict[str, float] = {"coffset": 0.0}
    for key in (*_INTEGERS, *_PLACES):
        if key in values:
            numbers[key] = file.number(values[key][0], f"{name}/{key}", values[key][1])
        elif key not in numbers:
            raise InputError(f"{file.where}: panel {name} has no {key}")
    first_fs, last_fs, first_ss, last_ss = (math.floor(numbers[key]) for key in _INTEGERS)
    n_fast, n_slow = last_fs - first_fs + 1, last_ss - first_ss + 1
    if n_fast < 1 or n_slow < 1:
        file.fail(
            values["max_fs"][0],
            f"panel {name} goes from {first_fs} to {last_fs} (fs) and from {first_ss} to {last_ss} (ss); it must hold "
            "a pixel",
        )
    if not numbers["res"] > 0.0:
        file.fail(values["res"][0], f"{name}/res is {numbers['res']:g}; it must be greater than 0")
    pitch = 1.0 / numbers["res"]
    fast, slow = (
        _direction(file, *values.get(key, (0, default)), f"{name}/{key}") for key, default in (("fs", "x"), ("ss", "y"))
    )
    steps = [math.hypot(*axis) for axis in (fast, slow)]
    z = (_camera_length(file, name, values) if camera_length is None else camera_length) + numbers["coffset"]
    panel = PlacedPanel(
        n_fast=n_fast,
        n_slow=n_slow,
        pixel_sizes=(pitch * steps[0], pitch * steps[1]),
        origin=np.array([numbers["corner_x"] * pitch, numbers["corner_y"] * pitch, z]),
        fast=fast / steps[0],
        slow=slow / steps[1],
        name=name,
        group=next((group for group, members in file.groups.items() if name in members), ""),
    )
    return panel, (first_fs, first_ss)


def _direction(file: _File, line: int, text: str, key: str) -> Array:
    """Return the vector of a sum such as +0.9x -0.1y; no number stands for 1."""
    joined = re.sub(r"[ \t]", "", text)
    joined = joined if joined[:1] in ("+", "-") else f"+{joined}"
    vector = np.zeros(3)
    position = 0
    for term in _TERM.finditer(joined):
        if term.start() != position:
            break
        vector["xyz".index(term[3])] += float(f"{term[1]}{term[2] or '1'}")
        position = term.end()
    if position != len(joined) or not math.hypot(*vector) > 0.0 or math.hypot(*vector) > _LARGEST:
        file.fail(line, f"{key} is {quote(text)}; a direction such as +0.9x -0.1y is needed")
    return vector


def _camera_length(file: _File, name: str, values: dict[str, tuple[int, str]]) -> float:
    """Return clen [m]."""
    if "clen" not in values:
        raise InputError(f"{file.where}: panel {name} has no clen; give {called('distance_mm')}")
    line, text = values["clen"]
    parts = text.split()
    unit = parts[1] if len(parts) > 1 else ""
    try:
        value = float(parts[0])
    except (ValueError, IndexError):
        file.fail(line, f"clen is {quote(text)}, a place in the data file; give {called('distance_mm')}")
    if unit not in _LENGTHS or not abs(value) <= _LARGEST:
        file.fail(line, f"clen is {quote(text)}; a number with the unit m or mm is needed")
    return value * _LENGTHS[unit]


def _mark_bad(file: _File, panels: dict[str, PlacedPanel], corners: dict[str, tuple[int, int]]) -> None:
    """Mark bad panels, edges and regions in the panels."""
    bad: dict[str, NDArray[np.bool_]] = {}

    def of(name: str) -> NDArray[np.bool_]:
        panel = panels[name]
        return bad.setdefault(name, np.zeros((panel.n_slow, panel.n_fast), dtype=np.bool_))

    for name, entries in file.panels.items():
        line, text = entries.values.get("no_index", (0, "0"))
        if text.lower() == "true" or (text.lower() != "false" and file.number(line, "no_index", text) != 0.0):
            of(name)[:] = True
        line, text = entries.values.get("mask_edge_pixels", (0, "0"))
        edge = int(file.number(line, "mask_edge_pixels", text))
        if edge > 0:
            marked = of(name)
            marked[:edge] = marked[-edge:] = True
            marked[:, :edge] = marked[:, -edge:] = True
    for region, entries in file.bad.items():
        _mark_region(file, region, entries.values, panels, corners, of)
    for name, marked in bad.items():
        panels[name] = replace(panels[name], bad=marked)


def _mark_region(
    file: _File,
    region: str,
    values: dict[str, tuple[int, str]],
    panels: dict[str, PlacedPanel],
    corners: dict[str, tuple[int, int]],
    of: Callable[[str], NDArray[np.bool_]],
) -> None:
    """Mark a region in pixels of the data, bounds included, or in pixels of the laboratory, bounds excluded."""
    line = next(iter(values.values()))[0]
    data = [key for key in values if key.endswith(("_fs", "_ss"))]
    laboratory = [key for key in values if key in ("min_x", "max_x", "min_y", "max_y")]
    if data and laboratory:
        file.fail(line, f"{region} mixes fs and ss with x and y")
    numbers = {key: file.number(values[key][0], f"{region}/{key}", values[key][1]) for key in (*data, *laboratory)}
    if laboratory:
        low_x, high_x = numbers.get("min_x", -math.inf), numbers.get("max_x", math.inf)
        low_y, high_y = numbers.get("min_y", -math.inf), numbers.get("max_y", math.inf)
        for name, panel in panels.items():
            pitch = 1.0 / float(file.panels[name].values["res"][1].split()[0])
            corner = panel.origin / pitch
            fs = np.arange(panel.n_fast)[None, :, None] * panel.fast * panel.pixel_sizes[0] / pitch
            ss = np.arange(panel.n_slow)[:, None, None] * panel.slow * panel.pixel_sizes[1] / pitch
            place = corner + fs + ss
            x, y = place[..., 0], place[..., 1]
            inside = (x > low_x) & (x < high_x) & (y > low_y) & (y < high_y)
            if inside.any():
                of(name)[inside] = True
        return
    alone = next(iter(panels)) if len(panels) == 1 else None
    of_panel = values["panel"][1] if "panel" in values else alone
    if of_panel is None or of_panel not in panels:
        what = "names no panel" if of_panel is None else f"names the panel {quote(of_panel)}, which there is not"
        file.fail(line, f"{region} {what}")
    missing = [key for key in _INTEGERS if key not in numbers]
    if missing:
        file.fail(line, f"{region} has no {missing[0]}")
    first_fs, first_ss = corners[of_panel]
    f0, f1 = (math.floor(numbers[key]) - first_fs for key in ("min_fs", "max_fs"))
    s0, s1 = (math.floor(numbers[key]) - first_ss for key in ("min_ss", "max_ss"))
    of(of_panel)[max(s0, 0) : max(s1 + 1, 0), max(f0, 0) : max(f1 + 1, 0)] = True


def _wavelength_A(file: _File) -> float | None:
    """Return the wavelength where the file itself has it."""
    for key in ("wavelength", "photon_energy"):
        if key not in file.top:
            continue
        line, text = file.top[key]
        parts = text.split()
        unit = parts[1] if len(parts) > 1 else ""
        try:
            value = float(parts[0])
        except (ValueError, IndexError):
            return None
        scale = {"wavelength": {"A": 1.0, "m": 1e10}, "photon_energy": {"": 1.0, "eV": 1.0, "keV": 1e3}}[key].get(unit)
        if scale is None or not 0.0 < value * scale <= _LARGEST:
            file.fail(line, f"{key} is {quote(text)}; a number greater than 0 with its unit is needed")
        return value * scale if key == "wavelength" else _HC_EV_A / (value * scale)
    return None


def _remarks(file: _File) -> list[str]:
    """Return what is ignored of the file though it changes an image or where its pixels lie."""
    lines = []
    shifts = [key for key in ("detector_shift_x", "detector_shift_y") if key in file.top]
    if shifts:
        lines.append(f"{file.where}: {' and '.join(shifts)} are not used: they stand in the data file")
    masks = {key for entries in file.panels.values() for key in entries.values if key.startswith("mask")}
    masks |= {key for key in file.top if key.startswith("mask")}
    if masks - {"mask_edge_pixels", "mask_good", "mask_bad"}:
        lines.append(f"{file.where}: masks that stand in other files are not read; the regions of this file count")
    return lines
