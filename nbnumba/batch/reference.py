"""What all images of a batch have in common, read once in every process."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..errors import InputError
from ..experiment.command_line import with_whole_paths
from ..experiment.model import Experiment
from ..experiment.resolve import resolve_with_choices
from ..experiment.resolved import Resolved
from ..experiment.rocking import needed_phi_steps
from ..imagefiles.nexus import stacked_shape
from ..io.contents import Contents, read_once
from ..parameters.command import CommandLine
from ..parameters.given import Given
from ..parameters.settings import Settings
from .inputs import Digests, unchanged
from .spec import parse_command
from .spec_model import Spec
from .texts import FACTORS, files_of

MOST_FACTORS = 4  # tables of structure factors that are kept besides the first, or more while they are small
_SMALL = 1 << 28  # bytes of these tables together
MOST_VARIANTS = 1000  # that are kept


@dataclass(frozen=True, eq=False)
class Base:
    """The image that nothing varies.

    Attributes
    ----------
    command : CommandLine
    resolved : Resolved
        The command as it stands; its cell, orientation and structure factors are the starting point of each image.
    contents : dict
        Of the files that were read for it, other than structure factors.
    given : tuple of Given
        What the command gives, files by their whole paths.
    phi_steps : int or None
        Chosen for every image of a series; None: what the command says.
    rocking_width : float or None [rad]
        That they were chosen from.
    spec : Spec
    digests : dict of str to str
        Of the files when the batch was begun.
    texts : dict of str to str
        Files and words that are chosen.
    """

    spec: Spec
    command: CommandLine
    resolved: Resolved
    contents: Contents
    given: tuple[Given, ...]
    phi_steps: int | None = None
    rocking_width: float | None = None
    digests: Digests = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    _variants: OrderedDict[tuple[str, ...], Base] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def experiment(self) -> Experiment:
        """The experiment of the command."""
        return self.resolved.experiment

    @property
    def settings(self) -> Settings:
        """Those of the command, with what its files say of the crystal."""
        return self.resolved.settings

    def with_texts(self, texts: Mapping[str, str]) -> Base:
        """Return what images with these files and words have in common, worked out once for each choice.

        Of choices with many large tables of structure factors the last few are kept.

        Raises
        ------
        InputError, FileError
            As `make_base`, and where a file has changed.
        """
        if not texts or texts == self.spec.first_texts:
            return self
        key = tuple(texts[name] for name in sorted(texts))
        with self._lock:
            found = self._variants.get(key)
            if found is None:
                read = {path: self.digests[path] for path in files_of(texts, self.spec.folder) if path in self.digests}
                with unchanged(read):
                    found = self._variants[key] = _variant(self._nearest(texts), texts)
            self._variants.move_to_end(key)
            self._drop()
        return found

    def _nearest(self, texts: Mapping[str, str]) -> Base:
        """Return what is known with the same structure factors; else the first."""
        wanted = {name: texts[name] for name in FACTORS.intersection(texts)}
        alike = (one for one in self._variants.values() if wanted.items() <= one.texts.items())
        return self if wanted.items() <= self.texts.items() else next(alike, self)

    def _drop(self) -> None:
        """Forget what was longest unused, where it is too much."""
        tables: dict[int, int] = {}  # bytes
        for key, one in reversed(list(self._variants.items())):
            reflections = one.experiment.reflections
            if reflections is None or reflections is self.experiment.reflections:
                continue
            tables[id(reflections)] = reflections.table.nbytes
            if len(tables) > MOST_FACTORS and sum(tables.values()) > _SMALL:
                del self._variants[key]
                del tables[id(reflections)]
        while len(self._variants) > MOST_VARIANTS:
            self._variants.popitem(last=False)


def _variant(base: Base, texts: Mapping[str, str]) -> Base:
    """Work out the command with other files and words; what they do not change is taken over."""
    command = parse_command(base.spec, texts)
    settings = _settings(command)
    if base.phi_steps is not None:
        settings = settings.changed(phisteps=1)
    same = all(texts[key] == base.texts[key] for key in FACTORS.intersection(texts))
    contents: Contents = {}
    with read_once(contents):
        if same:
            reflections = base.experiment.reflections
            resolved = resolve_with_choices(settings, reflections=reflections, before=base.resolved)
        else:
            resolved = resolve_with_choices(settings)
    if stacked_shape(resolved.experiment.detector) != stacked_shape(base.experiment.detector):
        raise InputError(f"{_shown(texts)}: the detector has other pixels than with {_shown(base.spec.first_texts)}")
    return replace(
        base,
        command=command,
        resolved=resolved,
        contents=contents,
        given=tuple(with_whole_paths(command.given, base.spec.folder)),
        texts=dict(texts),
        _variants=OrderedDict(),
    )


def _shown(texts: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {text}" for key, text in texts.items())


def make_base(spec: Spec, digests: Digests = MappingProxyType({})) -> Base:
    """Read the files of a batch and work out what they say.

    Raises
    ------
    InputError, FileError
        As `nbnumba.experiment.resolve.resolve`.
    """
    command = parse_command(spec)
    settings = _settings(command)
    chooses = spec.series is not None and not (command.gives("phisteps") or command.gives("phistep_deg"))
    if chooses:
        settings = settings.changed(phisteps=1)
    contents: Contents = {}
    with read_once(contents):
        resolved = resolve_with_choices(settings)
    given = tuple(with_whole_paths(command.given, spec.folder))
    if not chooses:
        return Base(spec, command, resolved, contents, given, digests=digests, texts=spec.first_texts)
    widest = max(abs(number) for number in spec.vary["osc_deg"].numbers)
    steps, width = needed_phi_steps(resolved.experiment, math.radians(widest))
    return Base(spec, command, resolved, contents, given, steps, width, digests, spec.first_texts)


def _settings(command: CommandLine) -> Settings:
    """Return the settings of a command without the orientation that every image draws."""
    settings = command.settings
    if settings.crystal.misset_random and settings.crystal.misset_seed is None:
        return settings.changed(misset_random=False, misset=None)
    return settings


_lock = threading.Lock()
_last: tuple[str, Base] | None = None


def base_of(spec: Spec, key: str, digests: Digests) -> Base:
    """Return the base of a batch, made by the first call in this process.

    Parameters
    ----------
    spec : Spec
    key : str
        Stands for the SPEC and its files.
    digests : dict of str to str
        Of these files when the batch was begun.

    Raises
    ------
    InputError, FileError
        As `make_base`, and where a file has changed.
    """
    global _last
    with _lock:
        if _last is None or _last[0] != key:
            _last = None  # the reflections of two batches need not stay in memory together
            with unchanged(digests):
                _last = (key, make_base(spec, digests))
        return _last[1]
