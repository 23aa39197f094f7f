"""What the tests of looking inside share."""

from __future__ import annotations

from helpers.painting.fixtures import cache, classifier, model, pack, painted

__all__ = ["cache", "classifier", "model", "pack", "painted"]
