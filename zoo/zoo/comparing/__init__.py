"""Comparing recipes: each trained under the same budget, data and seeds, and measured alike."""
