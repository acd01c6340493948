"""Two images side by side: how far they agree, in numbers, as a picture and as an interactive page."""
