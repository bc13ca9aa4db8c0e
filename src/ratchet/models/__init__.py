"""Models: linear ones over n-grams, and transformer encoders."""
