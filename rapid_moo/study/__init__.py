"""A search that lasts: it hands out measurements of one's own, and goes on after whatever ends it."""
