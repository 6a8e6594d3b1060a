"""The streaming HTTP client for models, and the guarded one for webhooks and tools."""
