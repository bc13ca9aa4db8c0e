"""A chat endpoint: prompts from rows, asked safely, cheaply and resumably, and answers from replies."""
