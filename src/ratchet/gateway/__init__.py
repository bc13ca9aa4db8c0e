"""The gateway: chat completions from any OpenAI-compatible backend or a generator of our own, guarded, limited and counted."""
