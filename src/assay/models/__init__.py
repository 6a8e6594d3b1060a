"""Models: each module speaks one wire."""
