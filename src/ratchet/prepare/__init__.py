"""The data between reading and training: cleaned, divided into parts that no copy crosses, saved and restored."""
