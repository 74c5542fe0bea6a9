"""Whether a generator is any good: features, distances and their labels, on arrays; no run folder, no loop."""
