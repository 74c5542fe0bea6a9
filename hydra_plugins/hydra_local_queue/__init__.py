"""A Hydra launcher for one machine: a queue of processes. It knows Hydra and rich, and nothing of lsgan."""
