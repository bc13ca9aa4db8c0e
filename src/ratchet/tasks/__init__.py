"""Tasks: what is asked of a row, what an answer is, and how answers are judged; one file each."""
