"""Tables of text: where they are, how they are read, and which column plays which part."""
