"""The audit on large code of others: what it finds and costs, and what of injected bugs it sees."""
