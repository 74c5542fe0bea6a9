"""What a file is that is neither an image nor an archive that is read here, and what to do with it."""

_SEEMS = (  # by the first bytes
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself (git lfs pull gets it)"),
    (b"<!doctype html", "a web page (the login page of a network, perhaps), not an archive or an image"),
    (b"<html", "a web page (the login page of a network, perhaps), not an archive or an image"),
    (b"pk\7\x08", "one part of a split zip (join the parts with zip -s 0, or unpack them with 7z)"),
    (b"pk\3\4", "a zip that is cut short (get it again)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it, and name the folder)"),
    (b"rar!\x1a\7", "a RAR archive (unpack it, and name the folder)"),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard (unpack it with zstd -d, and name what comes out)"),
    (b"\x04\x22\x4d\x18", "compressed by LZ4 (unpack it with lz4 -d, and name what comes out)"),
    (b"\x1f\x8b", "compressed by gzip, and no tar that is whole (get it again, or unpack it)"),
    (b"bzh", "compressed by bzip2, and no tar that is whole (get it again, or unpack it)"),
    (b"\xfd7zxz", "compressed by xz, and no tar that is whole (get it again, or unpack it)"),
    (b"\x89hdf\r\n", "an HDF5 file (save its images as files)"),
    (b"\x93numpy", "a NumPy array (save its images as files)"),
    (b"%pdf", "a PDF"),
)


def what_it_seems(start: bytes) -> str | None:
    """By the first bytes of the file; None if that is not known."""
    small = start.lstrip(b" \t\r\n\xef\xbb\xbf").lower()
    return next((what for magic, what in _SEEMS if small.startswith(magic)), None)
