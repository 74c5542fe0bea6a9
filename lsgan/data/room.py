"""Room on the disk, asked for before it is needed."""

import shutil
from pathlib import Path

from lsgan.errors import LsganError


def require_room(folder: Path, num_bytes: int, what: str) -> None:
    """Raises LsganError unless the disk of an existing `folder` has `num_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise LsganError(
            f"{folder} has {_gigabytes(free)} free, but {_gigabytes(num_bytes)} are needed {what}: free "
            f"{_gigabytes(num_bytes - free)} more, or name another disk by data_dir=<folder> or LSGAN_DATA"
        )


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB"
