"""Charts: figures in, SVG text out, coloured by the style sheet of the page."""
