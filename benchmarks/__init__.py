"""Netra's server beside what else a team would pick: the same work, in one run, on one core each.

``python -m benchmarks --help`` says how it is run and what it writes.
"""
