"""Those who listen to a run and change nothing."""
