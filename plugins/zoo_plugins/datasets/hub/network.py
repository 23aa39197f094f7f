"""Whether the Hub can be reached, and libraries that do not write what an error says as well."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_CONNECT = 5.0  # seconds
_NO_CONNECTION = ("ConnectError", "ConnectTimeout", "ProxyError")


def is_reachable() -> bool:
    """Return whether the Hub answers at all, asked once: `huggingface_hub` would try for half a minute."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=_CONNECT)
    except Exception as error:  # of which kind depends on the client's version
        return not any(kind.__name__ in _NO_CONNECTION for kind in type(error).__mro__)
    return True


def advise_offline() -> str:
    """Return what to do where the Hub cannot be reached."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE keeps https://huggingface.co/datasets from being asked: unset HF_HUB_OFFLINE; or --data DIR"
    return "look at the network, then run the same command again; or a dataset that lies here: --data DIR"


@contextmanager
def silence_clients(*, offline: bool) -> Iterator[None]:
    """Keep `datasets` and `huggingface_hub` from writing what an error says as well; `offline`, from asking."""
    import datasets
    from huggingface_hub import constants

    logs = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    before = [log.level for log in logs]
    were = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    for log in logs:
        log.setLevel(logging.CRITICAL)
    if offline:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = were
