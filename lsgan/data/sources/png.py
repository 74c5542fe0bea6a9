"""PNGs whose pixels are sound and whose other chunks are not."""

import struct
import zlib
from collections.abc import Iterator

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">I4s")  # length and type of a chunk
_TRANSPARENCY = b"tRNS"
_MAX_TEXT = 2**18  # bytes of a text that is kept, inflated; one that turns an image takes less
_TURNS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0", b"exif\0")  # texts that may tell which side is up


def without_odd_chunks(encoded: bytes) -> bytes:
    """The PNG with what decides its pixels (critical chunks, transparency) and which side is up, if that is sound.

    The pixels of a PNG never depend on the rest: texts of any size, a damaged colour profile, a wrong checksum of
    either. Pillow refuses the whole file for them. Nothing large is inflated to find out.
    """
    view = memoryview(encoded)
    odd = [part for part, kind in _chunks(view) if not _is_kept(view[part], kind)]
    if not odd:
        return encoded
    kept, end = [], 0
    for part in odd:
        kept.append(view[end : part.start])
        end = part.stop
    return b"".join([*kept, view[end:]])


def _chunks(view: memoryview) -> Iterator[tuple[slice, bytes]]:
    """Where each chunk lies, and its type; those that are whole."""
    place = len(PNG_SIGNATURE)
    while place + _HEADER.size <= len(view):
        length, kind = _HEADER.unpack_from(view, place)
        end = place + _HEADER.size + length + 4  # its checksum
        if end > len(view):
            return
        yield slice(place, end), kind
        place = end


def _is_kept(chunk: memoryview, kind: bytes) -> bool:
    if not kind[0] & 32 or kind == _TRANSPARENCY:  # critical, as the case of its first letter tells
        return True
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        return False
    content = bytes(chunk[_HEADER.size : -4]) if len(chunk) < _MAX_TEXT else b""
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        return content.startswith(_TURNS) and _is_small(content, kind)
    return kind == b"eXIf" and bool(content)


def _is_small(content: bytes, kind: bytes) -> bool:
    """Whether a text stays small when it is inflated."""
    _, _, text = content.partition(b"\0")
    if kind == b"iTXt":
        compressed, (*_, text) = text[:1] == b"\1", text[2:].split(b"\0", 2)
    else:
        compressed = kind == b"zTXt"
        text = text[1:] if compressed else text
    if not compressed:
        return True
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(text, _MAX_TEXT)
    except zlib.error:
        return False
    return inflater.eof
