"""python -m lsgan.evaluate: how good a run's samples are, in numbers with labels."""
