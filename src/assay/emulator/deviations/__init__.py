"""What each fault does: pure functions from a ready reply and parameters to another delivery."""
