"""What goes wrong with submitit, which brings the jobs of a sweep to SLURM, as one sentence."""

import re

_MISSING = re.compile("hydra/launcher/submitit_(local|slurm)")


def explain(error: Exception) -> str | None:
    """The sentence; None for an error that has nothing to do with submitit."""
    told = str(error)
    if _MISSING.search(told):
        return 'hydra/launcher=slurm and slurm_local need the package submitit: pip install "lsgan[slurm]"'
    if 'Could not detect "srun"' in told:
        return (
            "hydra/launcher=slurm: there is no SLURM here (no srun): type it on the login node of the cluster; "
            "hydra/launcher=slurm_local tries it without one"
        )
    if type(error).__module__.startswith("submitit."):
        what, *more = re.split("\n-+\n", told)  # and output of the job, or a traceback
        if what.endswith(" with trace:"):
            trace = more[0].splitlines() if more else []
            what = ": ".join([what.removesuffix(" with trace:"), *trace[-1:]])
        what = " ".join(what.removesuffix("Error stream produced:").split())
        return f"submitit: {what}; the same command goes on with what has not finished"
    return None
