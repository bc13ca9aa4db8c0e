"""Files of answers from anywhere: tables, lm-evaluation-harness, Inspect and promptfoo, matched row by row."""
