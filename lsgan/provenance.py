"""Which code makes a run, on which machine: what its history remembers of each start."""

import hashlib
import importlib.util
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lsgan

_PACKAGE = Path(__file__).resolve().parent


def code(targets: Iterable[str]) -> dict[str, Any]:
    """The project's code, and that of components from elsewhere: version, a hash of the sources, git's commit if any.

    Args:
        targets: dotted names of all components.
    """
    root = _PACKAGE.parent
    return {
        "lsgan": lsgan.__version__,
        "sha256": _digest(sorted(_PACKAGE.rglob("*.py")), _PACKAGE),
        "commit": _git(root, "rev-parse", "HEAD") if _git(root, "rev-parse", "--show-toplevel") == str(root) else None,
        "changed": bool(_git(root, "status", "--porcelain", "--", "lsgan", "train.py")),
        "components": {name: _digest([path], path.parent) for name, path in sorted(_foreign(targets).items())},
    }


def differences(now: dict[str, Any], before: dict[str, Any]) -> str:
    """What another code `before` was, for people; "" where it is the same, or nobody wrote it down."""
    found = []
    if before.get("sha256", now["sha256"]) != now["sha256"]:
        found.append(f"lsgan {_told(before)}, and this is {_told(now)}")
    components = before.get("components", {})
    found += [f"{name} has changed" for name, sha in now["components"].items() if components.get(name, sha) != sha]
    return "; ".join(found)


def surroundings() -> dict[str, Any]:
    """Versions and machine, as far as they are known without asking PyTorch."""
    return {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "host": platform.node(),
        "cpu": _cpu(),
        "system": platform.platform(terse=True),
    }


def _foreign(targets: Iterable[str]) -> dict[str, Path]:
    """Module -> file of the components that are neither this project's nor PyTorch's."""
    found = {}
    for target in targets:
        module = target.rpartition(".")[0]
        if module.partition(".")[0] in ("lsgan", "torch"):
            continue
        try:
            spec = importlib.util.find_spec(module)
        except Exception:  # it imports the packages above, which may be anybody's
            continue
        if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
            found[module] = Path(spec.origin)
    return found


def _told(code: dict[str, Any]) -> str:
    commit = code.get("commit")
    place = f" at {commit[:9]}" if commit else ""
    return f"{code.get('lsgan')}{place}{' with uncommitted changes' if code.get('changed') else ''}"


def _digest(paths: Iterable[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # a checkout that was not installed
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None without git or a repository."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True, timeout=10).strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu() -> str:
    """The processor's name."""
    path = Path("/proc/cpuinfo")
    if sys.platform == "linux" and path.exists():
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
