"""A run in several processes: one records and hands out the trials, its workers play them."""
