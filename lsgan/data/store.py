"""The packed store: every image of a data set decoded once into uint8 [N, H, W, C] on disk.

    <data_dir>/packed/<name>-<recipe hash>/images.bin    the bytes, image after image
                                           labels.npy    int64 [N], if the source has classes
                                           store.json    shape, classes, recipe, SHA-256
                                           skipped.txt   what could not be read, and why
                                           preview.jpg   64 of the images

Decoding and resizing never happen in the training loop, and several runs share the page cache.
pack.py writes stores.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lsgan.data.sources.classes import names_of
from lsgan.data.sources.decode import Fit
from lsgan.data.sources.source import Reading
from lsgan.data.sources.splits import Splits
from lsgan.errors import LsganError
from lsgan.files import write_atomically

FORMAT_VERSION = 2
_READING_VERSION = 2  # of the rules what splits and classes are; one more whenever some place is understood otherwise

ImageArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """All that decides a store's bytes.

    Args:
        source: says which images these are.
        fingerprint: of the files that hold them; changes when they do.
        fit: how they become squares.
        split: which splits, where it is not simply everything.
    """

    source: str
    fingerprint: str
    fit: Fit
    split: str | None = None

    def settings(self) -> dict[str, object]:
        """As store.json keeps it. What came after the first version is told where it is set, for the name's sake."""
        bits = {} if self.fit.bits is None else {"bits": self.fit.bits}
        return {
            "format_version": FORMAT_VERSION,
            "source": self.source,
            "fingerprint": self.fingerprint,
            "resolution": self.fit.resolution,
            "channels": self.fit.channels,
            "crop": self.fit.crop,
            **bits,
            **({} if self.split is None else {"split": self.split}),
        }

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.settings()).encode()).hexdigest()[:12]


class Store(NamedTuple):
    """A store that is whole."""

    folder: Path
    images: ImageArray  # uint8 [N, H, W, C], memory-mapped read-only
    labels: npt.NDArray[np.int64] | None  # [N]
    classes: list[str] | None
    sha256: str  # of the images
    told: str = "none"  # what was taken for classes, for people

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these images and labels from any others, wherever the store lies."""
        labels = {} if self.labels is None else {"labels_sha256": hashlib.sha256(self.labels.tobytes()).hexdigest()}
        return {"images": len(self.images), "sha256": self.sha256, **labels}


def open_store(folder: Path) -> Store:
    """The store in a folder.

    Raises:
        LsganError: it is not what its store.json states.
    """
    meta = read_meta(folder)
    shape, path = tuple(meta["shape"]), folder / "images.bin"
    size, needed = path.stat().st_size if path.exists() else 0, int(np.prod(shape))
    if size != needed:
        raise LsganError(f"{path} has {size} bytes, not {needed}: delete {folder} to pack again")
    images = np.memmap(path, np.uint8, mode="r", shape=shape)
    return Store(folder, images, _labels(folder, meta), meta["classes"], meta["sha256"], _told(meta))


def noted_reading(meta: dict[str, Any]) -> Reading | None:
    """How the place of the images was understood; None if there is none, or an earlier version packed it."""
    try:
        told, there, taken = (meta["reading"][key] for key in ("told", "there", "taken"))
        return Reading(str(told), Splits(list(there), list(taken)))
    except (KeyError, TypeError):
        return None


def is_read_by_our_rules(meta: dict[str, Any]) -> bool:
    """Whether its place would be understood so today, unlike what an earlier version may have made of it."""
    return noted_reading(meta) is not None and meta["reading"].get("version") == _READING_VERSION


def reading_note(reading: Reading) -> dict[str, Any]:
    """The same as store.json keeps it."""
    return {"version": _READING_VERSION, "told": reading.told, **reading.splits._asdict()}


def note_reading(folder: Path, reading: Reading) -> None:
    """Writes down how the place of the images is understood, so that it need not be looked through again."""
    with suppress(OSError):  # the store may be for reading alone
        text = json.dumps({**read_meta(folder), "reading": reading_note(reading)}, indent=1, ensure_ascii=False)
        write_atomically(folder / "store.json", text)


def _told(meta: dict[str, Any]) -> str:
    reading, classes = noted_reading(meta), meta["classes"]
    if reading is not None:
        return reading.told
    return "none" if classes is None else f"{len(classes)}: {names_of(classes)}"


def _labels(folder: Path, meta: dict[str, Any]) -> npt.NDArray[np.int64] | None:
    if meta["classes"] is None:
        return None
    path, num = folder / "labels.npy", meta["shape"][0]
    try:
        labels = np.load(path)
        if labels.shape != (num,) or labels.dtype != np.int64:
            raise ValueError(f"it holds {labels.dtype}{list(labels.shape)}, not int64[{num}]")
        return labels
    except (OSError, ValueError, EOFError) as error:
        raise LsganError(f"{path} is damaged ({error}): delete {folder} to pack again") from error


def read_meta(folder: Path) -> dict[str, Any]:
    """What store.json says.

    Raises:
        LsganError: it is not there, or not what this project writes.
    """
    try:
        meta = json.loads((folder / "store.json").read_text(encoding="utf-8"))
        dimensions = [int(length) for length in meta["shape"]]
        if not (isinstance(meta["recipe"], dict) and len(dimensions) == 4 and {"classes", "sha256"} <= meta.keys()):
            raise ValueError("store.json says too little")
        return meta
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LsganError(f"{folder} is not a packed store ({error}): delete it to pack again") from error


def differences(made_by: dict[str, Any], wanted: dict[str, Any]) -> str:
    """In which settings two recipes differ, for people; "" if in none."""
    differing = [key for key in wanted | made_by if made_by.get(key) != wanted.get(key)]
    return "; ".join(
        _of_fingerprints(str(made_by.get(key)), str(wanted[key]))
        if key == "fingerprint"
        else f"{key}={made_by.get(key)}, not {wanted.get(key)}"
        for key in differing
    )


def _of_fingerprints(made_by: str, wanted: str) -> str:
    """A fingerprint is no reading for people. What stands behind its "+": see `sources.archives.fingerprint`."""
    if made_by.partition("+")[0] == wanted.partition("+")[0]:
        return "other kinds of files than can be read now"
    return "an older state (the files have changed)"
