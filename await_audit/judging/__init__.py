"""From what a type checker says to findings: what is certain, and what is asked again."""
