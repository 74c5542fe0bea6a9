"""SLURM on this machine, as far as submitit knows it: sbatch, srun, scontrol requeue and sacct; for one job."""

from pathlib import Path

# The script runs again for as long as somebody has asked for that while it ran.
_SBATCH = """
cp "$1" {folder}/script.sh; cd "$PWD"
(export SLURM_JOB_ID=7
 while :; do bash {folder}/script.sh; test -e {folder}/requeue || break; rm {folder}/requeue; done) >/dev/null 2>&1 &
echo Submitted batch job 7
"""
_SRUN = """
while case $1 in --unbuffered) ;; --output) shift;; *) false;; esac; do shift; done
exec "$@" >>{folder}/output 2>&1
"""
_SCONTROL = """test "$*" = "requeue 7" && touch {folder}/requeue"""
_SACCT = """echo "JobID|State|NodeList"; echo "7|RUNNING|here" """


class Slurm:
    """`path` goes before PATH; the jobs' script and what they said are files of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "bin"
        self.path.mkdir(parents=True)
        for name, text in (("sbatch", _SBATCH), ("srun", _SRUN), ("scontrol", _SCONTROL), ("sacct", _SACCT)):
            (self.path / name).write_text(f"#!/bin/bash\n{text.replace('{folder}', str(folder))}\n")
            (self.path / name).chmod(0o755)

    @property
    def script(self) -> str:
        """What sbatch was given."""
        return (self.folder / "script.sh").read_text()

    @property
    def output(self) -> str:
        """Of all tasks."""
        path = self.folder / "output"
        return path.read_text() if path.exists() else ""
