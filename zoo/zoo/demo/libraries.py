"""Gradio, imported where it is wanted, and told to keep to this machine."""

from __future__ import annotations

import os

from zoo_core import ZooError

_SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SSR_MODE": "False",  # another server, by node
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def load_gradio() -> None:
    """Import Gradio without anything that calls home, whatever the environment says.

    Raises:
        ZooError: it is not installed, or cannot be imported; says what to type.
    """
    os.environ.update(_SETTINGS)
    hint = 'install it with: pip install "dcgan-zoo[demo]"'
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ZooError(f"the demo needs {error.name}, which is not installed", hint=hint) from None
    except Exception as error:  # of another version than the rest of what is installed
        raise ZooError(f"gradio cannot be imported: {type(error).__name__}: {error}", hint=hint) from error
    if int(gradio.__version__.partition(".")[0]) < 6:
        raise ZooError(f"the demo needs gradio 6, and {gradio.__version__} is installed", hint=hint)
