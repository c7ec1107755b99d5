"""Taking superfluous awaits out, and no other byte."""
