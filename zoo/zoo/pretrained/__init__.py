"""Models that come with the package, and the catalogue of those worth knowing."""
