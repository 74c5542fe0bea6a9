"""Download and pack a data set, without training.

    python -m lsgan.prepare dataset=<choice> [key=value …]

Takes the settings of train.py: dataset=lsun_church dataset.resolution=64 data_dir=/big/disk, for example.
train.py prepares what it needs by itself; this is for doing it beforehand, or for looking at the images first.
"""

import sys

from lsgan import command, config
from lsgan.errors import LsganError


def main() -> None:
    """Reads the command line, prepares, and says where the store is."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    flags = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    if flags:
        raise LsganError(f"{flags[0]}: prepare knows no flag but --help; write key=value, for one data set")
    settings = config.check(config.composed(sys.argv[1:]))

    from lsgan.data.sets.images import ImageDataset
    from lsgan.tracking.console import show_log_lines

    show_log_lines()
    dataset = config.build(settings, "dataset")
    if not isinstance(dataset, ImageDataset):
        raise LsganError(f"dataset={dataset.name} needs no preparation: its samples are drawn as they are used")
    store = dataset.prepare(settings.data_dir)
    classes = "" if store.classes is None else f", {len(store.classes)} classes"
    skipped = store.folder / "skipped.txt"
    print(f"{len(store.images):,} images{classes}; look at {store.folder / 'preview.jpg'}")
    if skipped.exists():
        print(f"what could not be read is in {skipped}")


if __name__ == "__main__":
    command.run(main)
