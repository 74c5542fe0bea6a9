"""Room on the disk, asked for before it is needed."""

import shutil
from pathlib import Path

from rich.filesize import decimal

from lsgan.errors import LsganError


class NoRoomError(LsganError):
    """The disk is too small for what is to come; what is there already is good."""


def require_room(folder: Path, num_bytes: int, what: str) -> None:
    """Raises NoRoomError unless the disk of an existing `folder` has `num_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise NoRoomError(
            f"{folder} has {decimal(free)} free, but {decimal(num_bytes)} are needed {what}: free "
            f"{decimal(num_bytes - free)} more, or name another disk by data_dir=<folder> or LSGAN_DATA"
        )
