"""A model in a role: the only room that times, prices, limits, retries, records and replays."""
