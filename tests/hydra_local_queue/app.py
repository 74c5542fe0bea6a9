"""A Hydra application that does nothing for a while: what the queue starts in its tests."""

import os
import sys
import time
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=None, config_name=None)
def main(cfg: DictConfig) -> None:
    told = " ".join(f"{name}={os.environ.get(name)}" for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"))
    print(f"job {cfg.n} {told}", flush=True)
    Path(f"started-{cfg.n}").write_text(str(os.getpid()))
    try:
        time.sleep(cfg.get("seconds", 0))
    except KeyboardInterrupt:
        Path(f"saved-{cfg.n}").touch()
        sys.exit(130)
    if cfg.get("exit"):
        print("what went wrong")
        sys.exit(cfg.exit)
    Path(f"ended-{cfg.n}").touch()


if __name__ == "__main__":
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra passes exceptions on
    try:
        main()
    except HydraException as error:
        if not getattr(error, "shown", False):
            print(error)
        sys.exit(getattr(error, "exit_code", 1))
