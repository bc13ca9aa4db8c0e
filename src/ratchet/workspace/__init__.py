"""The workspace: folders and files that are whole or absent, work that is finished once, and what it was done with."""
