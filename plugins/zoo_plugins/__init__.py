"""The built-in plugins, each entering by the same door as anybody's: one record, one entry point."""
