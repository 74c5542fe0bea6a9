"""JPEGs whose pixels are sound and whose other segments are not."""

_START_OF_SCAN, _COMMENT = 0xDA, 0xFE
_NEEDED = {0xE0, 0xE1, 0xEE}  # JFIF, EXIF (which side is up), Adobe (which colours): among the segments of programs


def without_odd_segments(encoded: bytes) -> bytes:
    """The JPEG without comments, colour profiles, thumbnails and whatever else programs add to pixels."""
    kept, place = [encoded[:2]], 2
    while place + 4 <= len(encoded) and encoded[place] == 0xFF and encoded[place + 1] != _START_OF_SCAN:
        marker, end = encoded[place + 1], place + 2 + int.from_bytes(encoded[place + 2 : place + 4], "big")
        if not (marker == _COMMENT or 0xE0 <= marker <= 0xEF) or marker in _NEEDED:
            kept.append(encoded[place:end])
        place = end
    return b"".join([*kept, encoded[place:]])
