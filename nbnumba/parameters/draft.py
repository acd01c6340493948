"""Settings, output and compute options as they fill up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .choices import ComputeOptions
from .command import Output
from .settings import PART_OF, Settings


class Draft:
    """Fields of Settings, Output and ComputeOptions as they fill up; the rest keeps its default.

    `pgm_name` and `write_pgm` stand for the one field `pgm_file`: -nopgm forgets no name.
    """

    def __init__(self, notices: list[str], defaults: Mapping[str, Any] | None = None) -> None:
        self.fields: dict[str, Any] = dict(defaults or {})
        self.notices = notices
        self.from_header: dict[str, str] = {}
        self._made: tuple[dict[str, Any], Settings] | None = None

    def get(self, name: str) -> Any:
        """Return the value of a field."""
        return self.fields.get(name, _DEFAULTS[name])

    def set(self, **fields: Any) -> None:
        """Give fields other values."""
        assert fields.keys() <= _DEFAULTS.keys(), f"no such field: {fields.keys() - _DEFAULTS.keys()}"
        self.fields.update(fields)

    def settings(self, before: Draft | None = None) -> Settings:
        """Return what was said of the image.

        Parameters
        ----------
        before : Draft, optional
            The parts of its settings that are the same here are taken over, not only their values.
        """
        if before is None or before._made is None:
            made = Settings.of(**{name: value for name, value in self.fields.items() if name in PART_OF})
        else:
            old, made = before._made
            names = {name for name, value in self.fields.items() if not _same(value, old.get(name, _DEFAULTS[name]))}
            names.update(old.keys() - self.fields.keys())
            made = made.changed(**{name: self.get(name) for name in names if name in PART_OF})
        self._made = dict(self.fields), made
        return made

    def output(self) -> Output:
        """Return what was said of the files."""
        name = self.get("pgm_name") if self.get("write_pgm") else None
        return Output(**{**self._some(Output), "pgm_file": name})

    def compute(self) -> ComputeOptions:
        """Return what was said of the arithmetic."""
        return ComputeOptions(**self._some(ComputeOptions))

    def _some(self, cls: type) -> dict[str, Any]:
        names = cls.__dataclass_fields__  # type: ignore[attr-defined]
        return {name: value for name, value in self.fields.items() if name in names}


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values of a field are the same, and of one type."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


_DEFAULTS: dict[str, Any] = dict(Settings().items()) | {
    field.name: getattr(cls(), field.name) for cls in (Output, ComputeOptions) for field in dataclasses.fields(cls)
}
_DEFAULTS.update(pgm_name=_DEFAULTS["pgm_file"], write_pgm=True)
