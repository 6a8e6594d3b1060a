"""The built-in tasks: one folder each, data and the generator that reproduces it."""
