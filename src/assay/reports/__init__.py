"""Pure functions from stored trials to figures: summaries and comparisons, as data."""
