"""What a running deployment does, measured from outside."""
