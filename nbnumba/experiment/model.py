"""The experiment to be rendered: crystals, beam, detector, goniometer and sampling, all worked out.

Frozen, in SI units, without defaults that depend on one another: `nbnumba.experiment.resolve` fills them in from
settings, `nbnumba.api` from keywords, command lines and files.
"""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

from ..background.material import Material
from ..background.water import Water
from ..beam.model import Beam
from ..crystal.continuous import ContinuousSpread
from ..crystal.model import Crystal
from ..crystal.mosaic import random_table_after
from ..detector.model import Detector
from ..errors import InputError, called, parameters_called
from ..geometry.vectors import Array
from ..parameters.choices import ComputeOptions, Semantics
from ..readout.model import Readout
from ..util.digest import digest
from ..util.messages import Notify
from ..util.records import changed
from .geometry import Geometry, Goniometer

if TYPE_CHECKING:
    from ..keywords import Keywords
    from ..structure_factors.table import ReflectionTable


@dataclass(frozen=True, eq=False)
class Sampling:
    """How finely, and which pixels.

    Attributes
    ----------
    oversample : int
        Sub-pixels along an edge.
    oversample_thick, oversample_polar, oversample_omega : bool
        Whether capture, polarization and solid angle are worked out for every sample.
    interpolate : bool
        Whether structure factors are interpolated where there is a table.
    dmin : float [m]
        Samples of finer spacing are left out; 0: none.
    roi : (fast first, fast last, slow first, slow last)
        Inclusive, inside the panel.
    spot_cutoff : float [photons]
        What may be left out of a pixel in all; 0: what float32 cannot hold.
    panel : int or None
        The panel that alone is rendered, and that `roi` is of; None: of several panels all are rendered whole.
    """

    oversample: int
    oversample_thick: bool
    oversample_polar: bool
    oversample_omega: bool
    interpolate: bool
    dmin: float
    roi: tuple[int, int, int, int]
    spot_cutoff: float = 0.0
    panel: int | None = None


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Experiment(Geometry):
    """A crystal in a beam before a detector, ready to be simulated.

    It cannot be changed; `replace` makes another one. All files are read, and all mistakes found, when it is made.
    Attributes are what was worked out, in SI units. Two are equal where all is equal that the image depends on.

    Parameters
    ----------
    semantics : {"exact", "c"}
        The physics, or the image of the C program with its defects.
    notify : callable, optional
        Receives one-line notices, as the program prints them on standard error. The logger ``nbnumba``
        receives them as well.
    **keywords
        See below: names carry their unit, and what is left out has the default of the command line. A crystal and
        structure factors are needed.

    Attributes
    ----------
    beam : Beam
    detector : Detector
    goniometer : Goniometer
    crystals : tuple of Crystal
    sampling : Sampling
    background : tuple of Water and Material
        Materials around the crystal.
    readout : Readout or None
        What the detector does to the photons, where it does more than count them.
    semantics : Semantics
    closed_form : ContinuousSpread or None
        Mosaicity, bandwidth and divergence of spots in closed form; None: they are sampled by domains and sources.
    compute : ComputeOptions
        What the user wants it rendered by.
    share : float
        Part of the fluence that meets the crystals; below 1 in a pass (`nbnumba.experiment.passes`).
    command : tuple of str
        Words that draw the same from any folder; empty where there are none, as where `hkl` is an array.
    origin : object
        Keywords that it was made of, for `replace`; None: it was made of parts.

    Raises
    ------
    InputError
        A ValueError: for a value that is not allowed, or the content of a file.
    FileError
        An OSError: for a file that is missing or unreadable.
    TypeError
        For an unknown keyword.

    Examples
    --------
    >>> import nbnumba
    >>> experiment = nbnumba.Experiment(
    ...     cell=(78, 78, 38, 90, 90, 90), default_F=100, N=5, wavelength_A=1.0, distance_mm=100, detpixels=64
    ... )
    >>> nbnumba.simulate(experiment).array.shape
    (64, 64)
    """

    crystals: tuple[Crystal, ...]
    sampling: Sampling
    background: tuple[Water | Material, ...] = ()
    readout: Readout | None = None
    semantics: Semantics = Semantics.EXACT
    closed_form: ContinuousSpread | None = None
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    share: float = 1.0
    command: tuple[str, ...] = field(default=(), init=False)
    origin: object = field(default=None, init=False)

    def __init__(self, *, semantics: str = "exact", notify: Notify | None = None, **keywords: Unpack[Keywords]) -> None:
        if keywords.keys() >= _PARTS:  # by `dataclasses.replace`
            made = self.of_parts(**{**keywords, "semantics": Semantics(semantics)})
        else:
            made = _above("api:from_keywords")(semantics, notify, keywords)
        self.__dict__.update(vars(made))

    @classmethod
    def of_parts(cls, **parts: Any) -> Self:
        """Put an experiment together from its attributes, all worked out; those that have a default may be left out.

        Raises
        ------
        TypeError
            For parts that are missing or unknown.
        """
        if not _PARTS <= parts.keys() <= _FIELDS:
            raise TypeError(f"parts: {', '.join(parts)}; needed: {', '.join(sorted(_PARTS))}")
        made = cls.__new__(cls)
        made.__dict__.update({"compute": ComputeOptions(), **parts})
        return made

    @classmethod
    def from_command(
        cls,
        command: str | Sequence[str],
        folder: str | os.PathLike[str] | None = None,
        notify: Notify | None = None,
    ) -> Experiment:
        """Make the experiment of a nanoBragg command line; its semantics are "c" unless it says -semantics exact.

        Parameters
        ----------
        command : str or sequence of str
            Words, with or without the program's name in front; a string is split as a shell does. Options that name
            output files have no effect, and no Fdump.bin is written.
        folder : path, optional
            Where relative file names start; the working folder by default.
        notify : callable, optional
            Receives one-line notices.

        Raises
        ------
        InputError, FileError
            As the program would end.

        Examples
        --------
        >>> import nbnumba
        >>> line = "-cell 78 78 38 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 100 -detpixels 64"
        >>> nbnumba.Experiment.from_command(line).beam.wavelength
        1e-10
        """
        made: Experiment = _above("api:from_command")(command, folder, notify)
        return made

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], notify: Notify | None = None) -> Experiment:
        """Make the experiment that a file describes; its relative file names start in its folder.

        Parameters
        ----------
        path : path
            A command line as text (line breaks and lines that begin with # do not count); a ``.toml`` with keywords
            of `Experiment`; or an NXmx file that nbnumba has written, for its first image.
        notify : callable, optional
            Receives one-line notices.

        Raises
        ------
        InputError, FileError
            The file is missing or unreadable, or describes no experiment.
        """
        made: Experiment = _above("api:from_file")(path, notify)
        return made

    def replace(
        self,
        *,
        semantics: str | None = None,
        notify: Notify | None = None,
        crystal: Crystal | None = None,
        beam: Beam | None = None,
        detector: Detector | None = None,
        goniometer: Goniometer | None = None,
        sampling: Sampling | None = None,
        background: tuple[Water | Material, ...] | None = None,
        **keywords: Unpack[Keywords],
    ) -> Experiment:
        """Return the same experiment but for some parts, or some keywords.

        With keywords, reflections are read again only where they change. A random orientation stays unless
        `misset_deg` is given again. None takes a keyword away. With parts nothing is worked out anew: an oversampling
        that was chosen stays, for example. No `command` is known to draw the result.

        Parameters
        ----------
        semantics : {"exact", "c"}, optional
            Those of this experiment by default.
        notify : callable, optional
            Receives one-line notices.
        crystal, beam, detector, goniometer, sampling, background
            Parts to take the place of those that this experiment has; `dataclasses.replace` makes one of these out of
            another.
        **keywords
            As of `Experiment`.

        Raises
        ------
        InputError
            For keywords where the experiment was not made from keywords, or beside parts.
        TypeError
            For an unknown keyword, or a part of another type.

        Examples
        --------
        >>> import nbnumba
        >>> near = nbnumba.Experiment(cell=(78, 78, 38), default_F=100, distance_mm=100, detpixels=64)
        >>> near.replace(distance_mm=200).detector.panels[0].distance
        0.2
        """
        given = {
            "crystals": None if crystal is None else (crystal,),
            "beam": beam,
            "detector": detector,
            "goniometer": goniometer,
            "sampling": sampling,
            "background": background,
        }
        parts = {name: part for name, part in given.items() if part is not None}
        for name, part in {**parts, **({} if crystal is None else {"crystals": crystal})}.items():
            if not isinstance(part, _KINDS[name]):
                raise TypeError(f"replace: a {_KINDS[name].__name__} is needed, not {type(part).__name__}")
        if not parts:
            made: Experiment = _above("api:with_keywords")(self, semantics, notify, keywords)
            return made
        if keywords or semantics is not None:
            name = next(iter(keywords), "semantics")
            raise InputError(f"replace: {name} is a keyword and cannot stand beside parts ({', '.join(parts)})")
        return replace(self, **parts)  # type: ignore[arg-type]

    def parameters(self, *names: str) -> Any:
        """Return parameters by which images of this experiment can be differentiated, as a vector.

        Parameters
        ----------
        *names : str
            "misset" (three angles), "cell" (its free constants), "N" (three numbers), "mosaic_spread", "distance",
            "beam_center" (two), "wavelength", "scale", "background", "offset" and others; the error of an unknown name
            lists them all.

        Returns
        -------
        nbnumba.gradients.parameters.Parameters

        Raises
        ------
        InputError
            For an unknown name, or one that images of this experiment have no derivative by.

        Examples
        --------
        >>> import nbnumba
        >>> still = nbnumba.Experiment(
        ...     cell=(78, 78, 38), default_F=100, N=20, shape="gauss", distance_mm=100, detpixels=64
        ... )
        >>> still.parameters("cell", "scale").names
        ('cell_a', 'cell_c', 'scale')
        """
        with parameters_called(lambda name, value: name):
            return _above("gradients.parameters:parameters_of")(self, names)

    def drawn_by(self, command: tuple[str, ...], origin: object = None, compute: ComputeOptions | None = None) -> Self:
        """Return this experiment with the words that draw it, what it was made of and what renders it."""
        compute = self.compute if compute is None else compute
        return changed(self, command=command, origin=origin, compute=compute)

    def __repr__(self) -> str:
        words = shlex.join(self.command) or f"{called('semantics')} {self.semantics.value} ... with parts in memory"
        return f"<{type(self).__name__}: {words}>"

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows."""
        table: str = _above("experiment.html:experiment_table")(self, shlex.join(self.command))
        return table

    @functools.cached_property
    def _content(self) -> bytes:
        return digest(self, without=("compute", "command", "origin"))

    def __eq__(self, other: object) -> bool:
        """Tell whether all that the image depends on is equal; what renders it, and how, does not count."""
        if not isinstance(other, Experiment):
            return NotImplemented
        return self is other or self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def crystal(self) -> Crystal:
        """The crystal, the first where there are several.

        Raises
        ------
        InputError
            There is none.
        """
        if not self.crystals:
            raise InputError("crystals: there are none; at least one is needed")
        return self.crystals[0]

    @property
    def reflections(self) -> ReflectionTable | None:
        """Structure factors of the crystal."""
        return self.crystal.reflections

    @property
    def default_F(self) -> float:
        """Structure factor of the reflections that the crystal's table lacks [electrons]."""
        return self.crystal.default_F

    @property
    def interpolate(self) -> bool:
        """Whether structure factors are interpolated."""
        return self.sampling.interpolate and self.reflections is not None

    @property
    def fluence(self) -> float:
        """Fluence of the beam [photons/m^2].

        Raises
        ------
        InputError
            It is not known.
        """
        if self.beam.fluence is None:
            raise InputError("fluence: is not known; it must be given for an image to be drawn")
        return self.beam.fluence

    @property
    def water_size(self) -> float:
        """Edge of the cube of water around the crystal [m]; 0: none."""
        return sum(material.size for material in self.background if isinstance(material, Water))

    @property
    def weights(self) -> Array:
        """Weight of every source in this image, (n,); one of weight 0 is left out of the sum and of the steps."""
        return self.beam.sources.normalized_weights

    @property
    def steps(self) -> int:
        """As nanoBragg's steps: sources x phi steps x mosaic domains x sub-pixels, which a pixel's sum is divided by.

        A pixel has this many samples in each layer of the sensor. Sources of weight 0 do not count. Of several
        crystals the domains of all count, though each is divided by its own. nanoBragg.c:2462.
        """
        orientations = self.goniometer.steps * sum(len(crystal.mosaic_rotations) for crystal in self.crystals)
        return int(np.count_nonzero(self.weights > 0.0)) * orientations * self.sampling.oversample**2

    @property
    def random_table(self) -> tuple[int, ...]:
        """Random table of C's generator, as the orientation and the mosaic domains of the crystals leave it."""
        return random_table_after(self.crystals, self.semantics)


# Of the parts that `replace` takes.
_KINDS = {
    "crystals": Crystal,
    "beam": Beam,
    "detector": Detector,
    "goniometer": Goniometer,
    "sampling": Sampling,
    "background": tuple,
}
_FIELDS = {one.name for one in fields(Experiment) if one.init}
_PARTS = {
    one.name for one in fields(Experiment) if one.init and one.default is MISSING and one.default_factory is MISSING
}


@functools.cache
def _above(place: str) -> Any:
    """Return a "module:function" of nbnumba that uses experiments, and so can be imported only after this module."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"nbnumba.{module}"), name)
