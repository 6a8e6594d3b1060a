"""Numbers in, numbers out: distributions, intervals, paired tests, quantiles. Knows no trial."""
