"""The append-only record of runs, calls, trials and scores in one SQLite file, and its exports."""
