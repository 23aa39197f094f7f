"""The version of this package, said once; pyproject reads it."""

__version__ = "0.2.0"
