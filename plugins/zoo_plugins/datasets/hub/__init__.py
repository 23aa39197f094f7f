"""Image datasets of the Hugging Face Hub, through its `datasets` library."""

from .dataset import Hub as Hub
