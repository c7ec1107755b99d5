"""The revisions: written as a git history, and running from a tree."""
