"""Images with their derivatives by what a kernel reads."""
