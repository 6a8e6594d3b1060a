"""Question answering: short passages, each with a question and the answers that are accepted."""
