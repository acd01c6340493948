"""What the files in the folder of a batch or a series are called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

LABELS, SHEET = "labels.csv", "contact_sheet.png"
XDS = "XDS.INP"
SPOTS = ("h5", "parquet", "refl")  # formats of a table of spots, the first by default

FORMATS = {"h5": "", "cbf": ".cbf", "img": ".img"}
"""Formats of a series, and the ending of a file for each image; none where NXmx files hold them all."""

DTYPES = {"h5": "int32", "cbf": "int32", "img": "uint16"}
"""Of their pixels, where nothing else is said."""


@dataclass(frozen=True)
class Series:
    """How the images of a rotation are kept.

    Attributes
    ----------
    stem : str
        The beginning of every name.
    form : {"h5", "cbf", "img"}
    photons : bool
        Whether expected photons are kept, which files with one image each cannot hold: those get them with their noise.
    """

    stem: str
    form: str
    photons: bool = False


@dataclass(frozen=True)
class Names:
    """The files of a batch, in its folder.

    Attributes
    ----------
    count : int
        Of images.
    series : Series or None
        None: a batch of images that do not follow one another.
    spots : bool or str
        Whether there is a table of the spots of all images, or its format.
    """

    count: int
    series: Series | None = None
    spots: bool | str = False

    @property
    def table(self) -> str | None:
        """The table of the spots of all images."""
        return f"spots.{SPOTS[0] if self.spots is True else self.spots}" if self.spots else None

    @property
    def stem(self) -> str:
        """The beginning of the names of the files with images."""
        return "shots" if self.series is None else self.series.stem

    def chunk(self, number: int) -> str:
        """Return the name of a file of images, or of what is known of images in files of their own; 0 is the first."""
        return f"{self.stem}_truth_{number:04d}.h5" if self.has_frames else f"{self.stem}_{number:04d}.h5"

    @property
    def master(self) -> str | None:
        """The file that shows all images as its own; None where each has a file of its own."""
        if self.has_frames:
            return None
        return "shots.h5" if self.series is None else f"{self.stem}_master.h5"

    @property
    def has_frames(self) -> bool:
        """Whether each image has a file of its own."""
        return self.series is not None and bool(FORMATS[self.series.form]) and not self.series.photons

    @property
    def images(self) -> str:
        """What programs open to see the images: the master, or the first."""
        return self.master or self.frames[0]

    @property
    def truth(self) -> str:
        """The experiment list for DIALS of a series."""
        return f"{self.stem}.expt"

    def frame(self, image: int) -> str | None:
        """Return the name of the file that holds one image alone, None where there is none."""
        if self.series is None or not self.has_frames:
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
        some = (self.master, SHEET, self.table)
        common = (LABELS, *(name for name in some if name is not None))
        return common if self.series is None else (*common, XDS, self.truth)
