"""Pairs of generator and discriminator that fit: one function a pair, `(shape, z_dim, …) -> Networks`."""
