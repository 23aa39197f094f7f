"""Models that come with the package, and the catalog of those worth knowing."""
