"""The model card: README.md of a model folder. Says only what the run or the user said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Model

UNKNOWN = "not stated"


def model_card(model: Model) -> str:
    """The card of a model as Markdown with a YAML header that the Hugging Face Hub reads."""
    config = model.config
    provenance: dict[str, Any] = config.get("provenance", {})
    data: dict[str, Any] = provenance.get("dataset") or {}
    recipe = config.get("recipe") or {}
    name = recipe.get("name", config["generator"]["name"])
    image = model.image
    kind = "grey" if image.channels == 1 else "colour"
    header = [
        "---",
        "library_name: dcgan-zoo",
        "pipeline_tag: unconditional-image-generation",
        "tags:",
        "- dcgan-zoo",
        "- gan",
        f"- {name}",
        "---",
    ]
    facts = {
        "Recipe": name,
        "Paper": recipe.get("paper") or UNKNOWN,
        "Images": f"{image.size}×{image.size}, {kind}",
        "Labels": ", ".join(model.classes) if image.num_classes else "none",
        "Latents": f"{model.generator.latent_dim} numbers, {model.generator.latent} distribution",
        "Generator": _component(config["generator"]),
        "Discriminator": _component(config["discriminator"]) if config.get("discriminator") else "not included",
        "Weights": config.get("weights", UNKNOWN),
        "Batch-norm statistics": config.get("batch_norm", UNKNOWN),
        "Trained on": _data(data),
        "Licence of the images": data.get("licence") or UNKNOWN,
        "Credit for the images": data.get("credit") or UNKNOWN,
        "Real images shown": f"{provenance['images']:,}" if "images" in provenance else UNKNOWN,
        "Seed": provenance.get("seed", UNKNOWN),
        "Licence of this model": provenance.get("licence") or UNKNOWN,
    }
    table = ["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in facts.items())]
    command = provenance.get("command")
    return "\n".join(
        [
            *header,
            "",
            f"# {name}, {image.size}×{image.size}",
            "",
            "![samples](samples.png)",
            "",
            *table,
            "",
            "## Use it",
            "",
            "```python",
            "import zoo",
            "",
            'model = zoo.load("FOLDER")  # where this folder lies',
            'zoo.save_grid(model.sample(64, seed=1), "samples.png")',
            "```",
            "",
            *(["## Train it again", "", "```", command, "```", ""] if command else []),
        ]
    )


def _component(config: dict[str, Any]) -> str:
    options = ", ".join(f"{key} {value}" for key, value in config["options"].items())
    return f"{config['name']} of {config['distribution']} {config.get('version', '')}".rstrip() + f" ({options})"


def _data(data: dict[str, Any]) -> str:
    if not data:
        return UNKNOWN
    return f"{data['name']} ({data['count']:,} images)" if "count" in data else str(data["name"])


def _cell(value: object) -> str:
    text = str(value).replace("|", "\\|").replace("\n", " ")
    return text.replace("<", "&lt;").replace(">", "&gt;")
