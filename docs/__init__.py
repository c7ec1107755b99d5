"""The pages of the documentation, and the modules that make what is generated in them."""
