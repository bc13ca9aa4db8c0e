"""The recipe: its sections, how it is read, and what is said of a mistake in it."""
