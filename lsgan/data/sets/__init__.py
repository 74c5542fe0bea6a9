"""The data sets: one module each, and what those of images share."""
