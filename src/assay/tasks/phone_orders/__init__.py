"""Phone orders: a sales agent takes a grocery order by telephone, over a world of emulated tools."""
