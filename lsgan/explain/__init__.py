"""What the losses of GANs mean, in figures and words for who has just met them: what python -m lsgan.theory writes."""
