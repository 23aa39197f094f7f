"""Runs: the folder that one training leaves on disk, and everything that it says."""
