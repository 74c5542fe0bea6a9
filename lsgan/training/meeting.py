"""How the ranks find each other, and what is said while one has not come.

A rank says that it is there as soon as it has started, and comes to the meeting when its data are ready. So those that
wait can tell one that was never started, for which there is an end, from one that downloads or packs for hours.
"""

import logging
import os
import time
from datetime import timedelta
from uuid import uuid4

import torch.distributed as dist

from lsgan.errors import LsganError
from lsgan.world import World

log = logging.getLogger(__name__)

STARTING_SECONDS = 600.0  # from the first rank's start to the last one's: a busy cluster may take minutes
FIRST_LINE_SECONDS, NEXT_LINE_SECONDS = 10.0, 60.0
_PATIENCE = timedelta(days=7)  # for a rank that has started: it may download and pack


class Meeting:
    """Of all ranks of `world`, at MASTER_ADDR and MASTER_PORT: rank 0 keeps the place, or torchrun does.

    Raises:
        LsganError: rank 0 does not come, or cannot have that port.
    """

    def __init__(self, world: World) -> None:
        self._world, self._began = world, time.monotonic()
        self._next_line = self._began + FIRST_LINE_SECONDS
        self._place = f"MASTER_ADDR={os.environ['MASTER_ADDR']}, MASTER_PORT={os.environ['MASTER_PORT']}"
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self.store = dist.PrefixStore(f"lsgan/{attempt}", self._connected())
        self.store.set(f"here/{world.rank}", "")

    def _connected(self) -> dist.TCPStore:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        is_kept_by_torchrun = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        keeps = self._world.is_main and not is_kept_by_torchrun
        while True:
            try:
                wait = timedelta(seconds=min(FIRST_LINE_SECONDS, STARTING_SECONDS))
                place = dist.TCPStore(
                    address, port, is_master=keeps, timeout=wait, wait_for_workers=False, multi_tenant=True
                )
            except dist.DistError as error:
                if keeps:
                    reason = "another process has that port" if "EADDRINUSE" in str(error) else "it cannot be had"
                    raise LsganError(f"{self._place}: {reason}: {_HOW_ELSE}") from error
                self._tell("rank 0")
                self._expect("rank 0", error)
            else:
                place.set_timeout(_PATIENCE)
                return place

    def meet(self) -> str:
        """Waits until all ranks are here, and returns a name for the meeting, the same on every rank.

        torchrun keeps one store for all restarts, and what a dead rank left there must not be taken for a living one's.
        Therefore each rank makes itself a new name, and only a list that holds it tells that this meeting is complete.

        Raises:
            LsganError: a rank has never started.
            dist.DistError: who keeps the place has died.
        """
        me = uuid4().hex
        if self._world.is_main:
            self.store.set("main", me)
            names = []
            for rank in range(1, self._world.size):
                self._wait_for(f"{me}/{rank}")
                names.append(self.store.get(f"{me}/{rank}").decode())
            self.store.set(f"{me}/all", " ".join(names))
            return me
        while True:
            self._wait_for("main")
            main = self.store.get("main").decode()
            self.store.set(f"{main}/{self._world.rank}", me)
            if not self._waited(f"{main}/all"):  # a slow rank, or rank 0 is still an earlier one
                continue
            if me in self.store.get(f"{main}/all").decode():
                return main
            time.sleep(0.1)

    def _wait_for(self, key: str) -> None:
        while not self._waited(key):
            pass

    def _waited(self, key: str) -> bool:
        """Whether the key came within a second."""
        try:
            self.store.wait([key], timedelta(seconds=1))
        except dist.DistStoreError as error:
            missing = [rank for rank in range(self._world.size) if not self.store.check([f"here/{rank}"])]
            self._tell(_called(missing) if missing else "a rank that has started and is not ready: it may pack data")
            if missing:
                self._expect(_called(missing), error)
            return False
        return True

    def _tell(self, whom: str) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + NEXT_LINE_SECONDS
            # A warning, for those of ranks above 0 are shown too: rank 0 itself may be the one that is missing.
            waited = now - self._began
            log.warning("rank %d has waited %.0f s for %s (%s)", self._world.rank, waited, whom, self._place)

    def _expect(self, whom: str, error: Exception) -> None:
        if time.monotonic() - self._began > STARTING_SECONDS:
            raise LsganError(
                f"RANK={self._world.rank}, WORLD_SIZE={self._world.size}, {self._place}: {whom} did not come within "
                f"{STARTING_SECONDS:g} s: {_HOW_ELSE}"
            ) from error


_HOW_ELSE = "start all ranks by torchrun, or unset RANK and WORLD_SIZE to train in one process"


def _called(ranks: list[int]) -> str:
    shown = ", ".join(map(str, ranks[:8])) + (" …" if len(ranks) > 8 else "")
    return f"rank{'s' if len(ranks) > 1 else ''} {shown}"
