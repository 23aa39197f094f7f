"""The Inception network that the FID is defined by, as torch-fidelity has it.

Heusel et al. 2017, arXiv:1706.08500, take the features of the network of Szegedy et al. 2015 in the version that TensorFlow
published on 5 December 2015. Another network, other weights or another resizing gives numbers that compare with nobody's.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.request import urlopen

import torch
from torch import Tensor

from zoo_core import FeatureExtractor, ModelError, ZooError
from zoo_core.hub import SECONDS, begin_within

Layer = Literal["64", "192", "768", "2048", "logits_unbiased"]
DIMS: dict[str, int] = {"64": 64, "192": 192, "768": 768, "2048": 2048, "logits_unbiased": 1008}
HASH = "6726825d"  # the SHA-256 of the weights begins so, and their name ends in it
FILE = f"weights-inception-2015-12-05-{HASH}.pth"
ALTERNATIVES = (
    "choose features that need no download: --features scattering, --features pixels, --features discriminator "
    "--set features.model=MODEL, or those of a package that brings its weights along (zoo list features shows all); "
    "or copy the file from elsewhere: --set features.weights=FILE"
)


class Inception(FeatureExtractor):
    """Features [N, 2048] of the pool before the classifier, or of another layer. Images are rounded to 8 bits first.

    Raises:
        ZooError: torch-fidelity is not installed, or the weights can neither be found nor fetched.
        ModelError: the file is no such weights.
    """

    tiny = None
    logits: ClassVar[Mapping[str, Any] | None] = {"layer": "logits_unbiased"}
    resizing: ClassVar[str] = "bilinear to 299×299 as TensorFlow 1 did it, not antialiased"

    def __init__(
        self,
        *,
        layer: Annotated[Layer, "which features; FID, KID, precision and recall have 2048"] = "2048",
        weights: Annotated[str | None, f"the file {FILE}; by default fetched once and kept by torch"] = None,
    ) -> None:
        super().__init__()
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
        except ImportError as error:
            hint = 'install it with: pip install "dcgan-zoo[eval]"; or choose other features: zoo list features'
            raise ZooError("the Inception network needs torch-fidelity, which is not installed", hint=hint) from error
        state = _plain(Path(weights).expanduser() if weights is not None else _fetched(URL_INCEPTION_V3))
        self.dim = DIMS[layer]
        try:
            with torch.random.fork_rng(devices=[]):  # its initial weights are drawn before ours replace them
                self.network = FeatureExtractorInceptionV3("inception", [layer], feature_extractor_weights_path=state)
        except (RuntimeError, KeyError) as error:
            wrong = f"{weights or FILE} holds other weights than the FID's network has"
            raise ModelError(wrong, hint=ALTERNATIVES) from error
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Inception:
        """Stays in evaluation mode: its statistics are part of the weights."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        levels = x.detach().mul(127.5).add(127.5).round().clamp(0, 255).to(torch.uint8)
        features: Tensor = self.network(levels.expand(-1, 3, -1, -1))[0]
        return features  # [N, dim]


def _fetched(url: str) -> Path:
    """Where torch's hub keeps the weights, fetched from `url` if they are not there; their checksum is compared."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if file.is_file():
        return file
    try:
        begin_within(SECONDS, lambda: urlopen(url, timeout=SECONDS).close())  # torch would wait for minutes
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), hash_prefix=HASH, progress=False)
    except (OSError, RuntimeError, ValueError) as error:  # no network, no such page, another checksum, no place to write
        wrong = f"the weights of the Inception network are not here ({file}) and cannot be fetched from {url}: {error}"
        raise ZooError(wrong, hint=ALTERNATIVES) from error
    return file


def _plain(file: Path) -> io.BytesIO:
    """Return the weights as a pickle that we wrote ourselves, from tensors alone: torch-fidelity trusts any."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ZooError(f"{file} does not exist", hint=f"give the file {FILE}: --set features.weights=FILE") from error
    except Exception as error:  # a damaged file can end in nearly any
        raise ModelError(f"{file} cannot be read as plain weights", hint=f"delete it, or give another {FILE}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{file} is no dictionary of tensors", hint=f"delete it, or give another {FILE}")
    kept = io.BytesIO()
    torch.save(state, kept)
    kept.seek(0)
    return kept
