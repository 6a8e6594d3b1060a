"""Emulated tools over tables: an immutable base, one overlay a trial, a journal of every write."""
