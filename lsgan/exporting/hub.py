"""An exported folder goes to a model hub that speaks the Hugging Face protocol."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsgan.errors import LsganError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def check(name: str) -> None:
    """Raises LsganError where nothing can be pushed to `name`; nobody is asked over the network."""
    if not _NAME.fullmatch(name):
        raise LsganError(f"push={name} must be <user or organisation>/<name>, of letters, digits, '.', '_' and '-'")
    try:
        from huggingface_hub import get_token
        from huggingface_hub.utils import HFValidationError, validate_repo_id
    except ImportError:
        raise LsganError(f'push={name} takes huggingface_hub: python -m pip install "lsgan[export]"') from None
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise LsganError(f"push={name} is no name on a hub ({_first_line(error)}): write another") from error
    if not get_token():
        raise LsganError(f"push={name}: there is no token: log in by `hf auth login`, or set HF_TOKEN")


def push(folder: Path, files: Sequence[str], name: str, *, private: bool) -> str:
    """Uploads these files of the folder in one commit, and returns where they are.

    The repository is made if there is none. What else may lie in the folder by now stays here.

    Raises:
        LsganError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = _api()
    try:
        address = api.create_repo(name, private=private or None, exist_ok=True)  # else as the hub has it
        api.upload_folder(repo_id=name, folder_path=folder, allow_patterns=[*files], commit_message="Exported by lsgan")
    except HfHubHTTPError as error:
        status = "" if error.response is None else f" ({error.response.status_code})"
        reason = _first_line(error.server_message or error)
        raise LsganError(
            f"push={name}: {api.endpoint} refuses{status}, {reason}: {folder} stays, mend that and export again"
        ) from error
    except (OSError, OfflineModeIsEnabled) as error:  # of sockets, files and proxies
        raise _unreachable(api, folder, name, error) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests"):
            raise _unreachable(api, folder, name, error) from error
        raise
    return str(address)


def _api() -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


def _unreachable(api: "HfApi", folder: Path, name: str, error: Exception) -> LsganError:
    return LsganError(
        f"push={name}: {api.endpoint} cannot be reached ({_first_line(error)}): {folder} stays, try again later"
    )


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
