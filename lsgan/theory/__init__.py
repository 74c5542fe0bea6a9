"""The mathematics of GAN losses: optimal discriminators, divergences, equilibria; no network is trained here."""
