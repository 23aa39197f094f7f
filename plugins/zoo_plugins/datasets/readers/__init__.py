"""Readers of files that strangers made, which believe nothing that these declare and run nothing that these ask for."""
