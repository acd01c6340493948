"""Two images side by side: how far they agree, in numbers, in a picture and in a page to look around in."""
