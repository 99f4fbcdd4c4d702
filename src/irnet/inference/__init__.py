"""From an image to `Cells`: methods, weights files, scale, windows."""
