"""Several ranks: rank table, placement, launcher, collectives, heartbeat."""
