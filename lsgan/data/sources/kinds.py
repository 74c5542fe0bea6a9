"""Which files are images, by their names or first bytes, and what is said of all others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from lsgan.data.sources.decode import FORMATS, is_image_content

_SUFFIXES = {  # by Pillow's name of the format
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"},
    "PNG": {".png", ".apng"},
    "WEBP": {".webp"},
    "BMP": {".bmp", ".dib"},
    "TIFF": {".tif", ".tiff"},
    "GIF": {".gif"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"},
    "JPEG2000": {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"},
    "QOI": {".qoi"},
    "AVIF": {".avif"},
    "HEIF": {".heic", ".heif", ".hif"},
}
SUFFIXES = frozenset[str]().union(*(suffixes for name, suffixes in _SUFFIXES.items() if name in FORMATS))
# What versions before `left_out` read. Their stores are told from those of now by `num_since`.
_FIRST_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".avif"}
)
LOOKED_FOR = ", ".join(sorted(SUFFIXES, key=lambda suffix: (suffix not in _FIRST_SUFFIXES, suffix)))  # for messages

# What lies beside images and is none: lists, notes, settings, leftovers of systems. Nobody misses them.
_COMPANIONS = frozenset(
    {".txt", ".md", ".rst", ".html", ".htm", ".pdf", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml"}
    | {".toml", ".py", ".sh", ".log", ".ini", ".cfg", ".db", ".lock", ".url", ".md5", ".sha1", ".sha256"}
    | {".xmp", ".aae", ".cat", ".pts"}
)
_COMPANION_NAMES = frozenset({"readme", "license", "licence", "copying", "notice", "authors", "changelog", "makefile"})

_HINTS = dict.fromkeys(_SUFFIXES["HEIF"], 'pip install "lsgan[heif]" reads them') | {
    ".avif": "pip install -U pillow reads them"
}


class Files(NamedTuple):
    """What is read, in order, and what is not: names by kind."""

    images: Sequence[str]
    left_out: Mapping[str, Sequence[str]]


def sort_out(names: Iterable[str], start: Callable[[str], bytes]) -> Files:
    """Parts images from what is left out. Hidden files and usual companions of images count as neither.

    Args:
        names: of all files, "/" between folders.
        start: the first `START` (decode.py) bytes of a file; asked for where a name has no suffix.
    """
    images: list[str] = []
    left_out: dict[str, list[str]] = {}
    for name in sorted(names):
        if is_hidden(name):
            continue
        suffix = kind(name)
        if suffix in SUFFIXES or (not suffix and _starts_like_an_image(name, start)):
            images.append(name)
        elif not _is_companion(name, suffix):
            left_out.setdefault(suffix, []).append(name)
    return Files(images, left_out)


def num_since(images: Iterable[str]) -> int:
    """How many of the images the first versions passed over."""
    return sum(kind(name) not in _FIRST_SUFFIXES for name in images)


def is_image(name: str) -> bool:
    """Whether a file is named like an image, and neither it nor a folder above is hidden."""
    return kind(name) in SUFFIXES and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether the file or a folder above it is hidden."""
    if not (
        name.startswith(".") or "/." in name or "__MACOSX" in name or "@eaDir" in name
    ):  # quick: there are millions
        return False
    return any(part in ("__MACOSX", "@eaDir") or (part.startswith(".") and part.strip(".")) for part in name.split("/"))


def kind(name: str) -> str:
    """The suffix, in small letters; "" if there is none, or a number (image.0001)."""
    _, dot, suffix = _base(name).lstrip(".").rpartition(".")
    return f".{suffix.lower()}" if dot and suffix and not suffix.isdigit() and " " not in suffix else ""


def told(left_out: Mapping[str, int]) -> str:
    """What was left out, for people: `40 .heic (pip install "lsgan[heif]" reads them), 2 .psd`."""
    parts = []
    for suffix, num in sorted(left_out.items(), key=lambda pair: (-pair[1], pair[0])):
        hint = f" ({_HINTS[suffix]})" if suffix in _HINTS.keys() - SUFFIXES else ""
        parts.append(f"{num:,} {suffix or 'without a suffix'}{hint}")
    return ", ".join(parts)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _is_companion(name: str, suffix: str) -> bool:
    base = _base(name).lower()
    return suffix in _COMPANIONS or base in _COMPANION_NAMES or base.startswith("labels.")


def _starts_like_an_image(name: str, start: Callable[[str], bytes]) -> bool:
    try:
        return is_image_content(start(name))
    except (OSError, ValueError):  # it cannot be read: counted as left out
        return False
