"""Whether the Hub can be reached, and libraries that do not write what an error says as well."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zoo_core.hub import ask_hub, is_silence, silence_libraries


def is_reachable() -> bool:
    """Return whether the Hub answers at all; asked before anything else, as `datasets` would ask for each of its files."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False

    def knock() -> None:
        try:
            get_session().head(constants.ENDPOINT)
        except Exception as error:  # of which kind depends on the client's version
            if is_silence(error):
                raise

    try:
        ask_hub(knock)
    except Exception:
        return False
    return True


def advise_offline() -> str:
    """Return what to do where the Hub cannot be reached."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE keeps https://huggingface.co/datasets from being asked: unset HF_HUB_OFFLINE; or --data DIR"
    return "look at the network, then run the same command again; or a dataset that lies here: --data DIR"


@contextmanager
def silence_clients(*, offline: bool) -> Iterator[None]:
    """Keep `datasets` and `huggingface_hub` from writing what an error says as well, and from drawing bars where there is no
    terminal; `offline`, from asking.
    """
    import datasets
    from huggingface_hub import constants

    were = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    bars = datasets.are_progress_bars_disabled() or sys.stderr.isatty()
    if offline:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    if not bars:
        datasets.disable_progress_bars()
    try:
        with silence_libraries():
            yield
    finally:
        if not bars:
            datasets.enable_progress_bars()
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = were
