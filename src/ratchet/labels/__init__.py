"""What more labels would bring, and which rows to label next."""
