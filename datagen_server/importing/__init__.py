"""People's own pictures: looked at once, decided about, and written as shards."""
