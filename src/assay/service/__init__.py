"""The service: batches of conversations by REST, played one after another by a worker in the same process."""
