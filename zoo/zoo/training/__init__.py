"""Training: from a recipe and a dataset to a run folder."""
