"""Two contenders side by side, whose answers may come from anywhere: files are matched row by row, scored, and judged."""
