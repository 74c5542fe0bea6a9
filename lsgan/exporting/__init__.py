"""What `python -m lsgan.export` writes: weights, programs, the card that tells what they are; and the way to a hub."""
