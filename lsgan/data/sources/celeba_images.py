"""CelebA's aligned faces as its authors give them: a folder or zip of JPEGs, and a list of which are for training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from PIL import Image

from lsgan.data.sources.decode import open_image
from lsgan.data.sources.image_files import Read, read_file
from lsgan.data.sources.source import Item
from lsgan.data.sources.zip_images import opened_zip, zip_reader
from lsgan.errors import LsganError

ZIP, PARTITION = "img_align_celeba.zip", "list_eval_partition.txt"
_FOLDER = "img_align_celeba"  # also inside the zip
_TRAINING = "0"


class CelebaImages:
    """A source (source.py): the images of the list that are for training, in its order."""

    classes = None

    def __init__(self, names: Sequence[str], read: Read) -> None:
        self._names, self._read = names, read

    @property
    def num_items(self) -> int:
        return len(self._names)

    def items(self) -> Iterator[Item]:
        for name in self._names:
            yield Item(name, partial(self._image, name))

    def _image(self, name: str) -> Image.Image:
        return open_image(self._read(f"{_FOLDER}/{name}"))


def celeba_is_there(folder: Path) -> bool:
    """Whether the folder holds the images, packed or not, and the list."""
    return (folder / PARTITION).is_file() and ((folder / ZIP).is_file() or (folder / _FOLDER).is_dir())


@contextmanager
def celeba_images(folder: Path) -> Iterator[CelebaImages]:
    """Of the folder img_align_celeba; of the zip where that is not whole, as after a kill while it was unpacked.

    Raises:
        LsganError: the list cannot be read, or the zip.
    """
    names = _training_names(folder / PARTITION)
    unpacked, packed = folder / _FOLDER, folder / ZIP
    present = {path.name for path in unpacked.iterdir()} if unpacked.is_dir() else set()
    if packed.is_file() and not present.issuperset(names):
        with opened_zip(packed) as archive:
            yield CelebaImages(names, zip_reader(archive))
    else:
        yield CelebaImages(names, partial(read_file, folder))


def _training_names(path: Path) -> Sequence[str]:
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        names = [name for name, part in rows if part == _TRAINING]
    except ValueError as error:
        raise LsganError(f"{path} is not CelebA's list, lines like 000001.jpg 0: get it again") from error
    if not names:
        raise LsganError(f"{path} names no images for training (lines like 000001.jpg 0): get it again")
    return names
