"""LSUN scenes."""

from dataclasses import dataclass
from pathlib import Path

from lsgan.data.sets.downloaded import DownloadedImages


@dataclass(frozen=True, kw_only=True)
class Lsun(DownloadedImages):
    """One LSUN scene (Yu et al., 2015; arXiv 1506.03365), images with a shorter side of 256 pixels.

    Args:
        scene: LSUN's name of the scene, church_outdoor for example.
        split: train or val.
    """

    scene: str
    split: str = "train"

    def source_id(self, data_dir: Path) -> str:
        return f"LSUN {self.scene} {self.split}"
