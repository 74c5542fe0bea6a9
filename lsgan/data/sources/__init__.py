"""How bytes become images: folders, archives and databases, downloads, decoding, labels, splits."""
