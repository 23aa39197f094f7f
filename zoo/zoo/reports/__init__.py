"""One kit for every page and picture with words: Jinja2 templates, matplotlib figures, sheets. It knows nothing of GANs."""
