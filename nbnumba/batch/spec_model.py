"""A batch or a rotation of a series, as its SPEC says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .csv_table import Row, Texts
from .distributions import KEYS, Distribution
from .names import Names, Series
from .texts import TEXTS, Choice


@dataclass(frozen=True)
class Spec:
    """A batch, as its SPEC says it.

    Attributes
    ----------
    folder : str
        Absolute; file names of the command start here.
    words : tuple of str
        Of the command.
    images_per_file : int
    dtype : {"float32", "int32", "uint16"}
    spots : bool or str
        Whether there is a table of the spots of all images, or its format.
    truth : bool
        Whether the files hold what every pixel shows.
    random_orientation : bool
        Every image has an orientation of its own.
    vary : dict of str to Distribution
        By key, in the order of `distributions.KEYS`.
    columns : tuple of str
        Keys whose values stand in a table.
    rows : tuple of dict
        The table's values, of image `first_row` and those after it.
    series : Series or None
        Where the images are those of a rotation.
    chosen : dict of str to Choice
        Files and words of which every image takes one.
    texts : tuple of dict
        The same of a table, as `rows`.
    first_texts : dict of str to str
        One of every key: the first of its choices, or of the table.
    """

    folder: str
    words: tuple[str, ...]
    count: int
    seed: int
    images_per_file: int
    dtype: str
    noise: bool
    noise_rng: str
    semantics: str
    backend: str
    precision: str
    spots: bool | str
    truth: bool
    random_orientation: bool
    vary: Mapping[str, Distribution]
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    first_row: int = 0
    csv_file: str | None = None
    series: Series | None = None
    chosen: Mapping[str, Choice] = field(default_factory=dict)
    texts: tuple[Texts, ...] = ()
    first_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> Names:
        """What its files are called."""
        return Names(self.count, self.series, self.spots)

    @property
    def chunks(self) -> int:
        """Number of files."""
        return -(-self.count // self.images_per_file)

    def images_of(self, chunk: int) -> range:
        """Return the numbers of the images of a file; 0 is the first of both."""
        first = chunk * self.images_per_file
        return range(first, min(first + self.images_per_file, self.count))

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that varies, in the order of the labels; the orientation apart."""
        return tuple(key for key in KEYS if key in self.vary or key in self.columns)

    def row(self, image: int) -> Row:
        """Return the values of the table for an image."""
        return self.rows[image - self.first_row] if self.columns else {}

    @property
    def text_keys(self) -> tuple[str, ...]:
        """Every key whose file or word is chosen from image to image."""
        return tuple(key for key in TEXTS if key in self.first_texts)

    def texts_of(self, image: int) -> Texts:
        """Return the texts of the table for an image."""
        return self.texts[image - self.first_row] if self.columns else {}

    @property
    def all_texts(self) -> list[Texts]:
        """Every text of every key at least once, the other keys at their first; without those of a table."""
        return [dict(self.first_texts) | {key: value} for key, some in self.chosen.items() for value in some.values]
