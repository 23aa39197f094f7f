"""Leaderboards: recipes × datasets × seeds, trained and measured alike by any number of processes that share a folder."""
