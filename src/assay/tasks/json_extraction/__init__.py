"""JSON extraction: short business texts, each with its schema and the object that it holds."""
