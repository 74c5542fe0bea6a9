"""A Hydra sweeper that searches with Optuna; the local queue runs its trials. It knows Hydra, Optuna and the queue."""
