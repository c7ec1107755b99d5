"""The figures of the incident: one module each, drawn from what was recorded."""
