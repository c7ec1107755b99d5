"""Taking wrong awaits out, and no other byte."""
