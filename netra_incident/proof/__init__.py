"""The proof: the tests of the case, run on revisions, on attempts and on old commits."""
