"""Where a run's numbers and pictures go: the run folder (the truth), the console, W&B."""
