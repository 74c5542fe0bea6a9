"""Where samples come from, the packed store, and the order of batches."""
