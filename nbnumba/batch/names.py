"""What the files in the folder of a batch or a series are called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

LABELS, SHEET = "labels.csv", "contact_sheet.png"
XDS = "XDS.INP"
SPOTS = "spots.h5"

FORMATS = {"h5": "", "cbf": ".cbf", "img": ".img"}
"""Formats of a series, and the ending of a file for each image; none where NXmx files hold them all."""


@dataclass(frozen=True)
class Series:
    """How the images of a rotation are kept.

    Attributes
    ----------
    stem : str
        The beginning of every name.
    form : {"h5", "cbf", "img"}
    """

    stem: str
    form: str


@dataclass(frozen=True)
class Names:
    """The files of a batch, in its folder.

    Attributes
    ----------
    count : int
        Of images.
    series : Series or None
        None: a batch of images that do not follow one another.
    spots : bool
        Whether there is a table of the spots of all images.
    """

    count: int
    series: Series | None = None
    spots: bool = False

    @property
    def stem(self) -> str:
        """The beginning of the names of the files with images."""
        return "shots" if self.series is None else self.series.stem

    def chunk(self, number: int) -> str:
        """Return the name of a file of images; 0 is the first."""
        return f"{self.stem}_{number:04d}.h5"

    @property
    def master(self) -> str:
        """The file that shows all images as its own."""
        return "shots.h5" if self.series is None else f"{self.stem}_master.h5"

    @property
    def truth(self) -> str:
        """The experiment list for DIALS of a series."""
        return f"{self.stem}.expt"

    def frame(self, image: int) -> str | None:
        """Return the name of the file that holds one image alone, None where there is none."""
        if self.series is None or not FORMATS[self.series.form]:
            return None
        digits = max(4, len(str(self.count)))
        return f"{self.stem}_{image + 1:0{digits}d}{FORMATS[self.series.form]}"

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """Names of the files that hold one image each."""
        return tuple(name for image in range(self.count) if (name := self.frame(image)) is not None)

    @cached_property
    def products(self) -> tuple[str, ...]:
        """What is made once all images are there, apart from the frames."""
        common = (LABELS, self.master, SHEET, *((SPOTS,) if self.spots else ()))
        return common if self.series is None else (*common, XDS, self.truth)
