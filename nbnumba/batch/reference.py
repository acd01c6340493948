"""What all images of a batch have in common, read once in every process."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from ..experiment.command_line import with_whole_paths
from ..experiment.model import Experiment
from ..experiment.resolve import resolve_with_choices
from ..experiment.resolved import Resolved
from ..experiment.rocking import needed_phi_steps
from ..io.contents import Contents, read_once
from ..parameters.command import CommandLine
from ..parameters.given import Given
from ..parameters.settings import Settings
from .inputs import Digests, unchanged
from .spec import Spec, parse_command


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
    """

    command: CommandLine
    resolved: Resolved
    contents: Contents
    given: tuple[Given, ...]
    phi_steps: int | None = None
    rocking_width: float | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment of the command."""
        return self.resolved.experiment

    @property
    def settings(self) -> Settings:
        """Those of the command, with what its files say of the crystal."""
        return self.resolved.settings


def make_base(spec: Spec) -> Base:
    """Read the files of a batch and work out what they say.

    Raises
    ------
    InputError, FileError
        As `nbnumba.experiment.resolve.resolve`.
    """
    command = parse_command(spec)
    settings = command.settings
    if settings.crystal.misset_random and settings.crystal.misset_seed is None:  # then every image draws its own
        settings = settings.changed(misset_random=False, misset=None)
    chooses = spec.series is not None and not (command.gives("phisteps") or command.gives("phistep_deg"))
    if chooses:
        settings = settings.changed(phisteps=1)
    contents: Contents = {}
    with read_once(contents):
        resolved = resolve_with_choices(settings)
    given = tuple(with_whole_paths(command.given, spec.folder))
    if not chooses:
        return Base(command, resolved, contents, given)
    widest = max(abs(number) for number in spec.vary["osc_deg"].numbers)
    steps, width = needed_phi_steps(resolved.experiment, math.radians(widest))
    return Base(command, resolved, contents, given, steps, width)


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
                _last = (key, make_base(spec))
        return _last[1]
