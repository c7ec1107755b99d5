"""What names and expressions stand for, read from the text of a project."""
