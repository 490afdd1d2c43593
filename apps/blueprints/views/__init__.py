"""Show and take drawings: the list, the canvas, the text editor with its checks, versions and their differences."""
