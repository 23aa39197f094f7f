"""Reproducing papers: every claim of one, planned, measured, judged by a rule that stands beforehand, on one page."""
