"""Word problems with whole answers: the cases, and their generator."""
