"""What investigates the backend, and is no part of it: no tree under test brings its own."""
