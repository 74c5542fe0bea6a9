"""What training sees: the packed store and batches of it.

An image's way: `sources` turns bytes into images, `pack` writes them to a `store`, `feeding` makes batches of it.
`sets` says of each data set where its images are.
"""
