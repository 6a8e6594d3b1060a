"""The only readers of files and environment: they turn a plan's names into objects."""
