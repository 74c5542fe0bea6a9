"""Least Squares GANs: train, compare and look at them. Start with `python train.py --help`."""

__version__ = "0.1.0"
