"""Large images, window by window, with any segmenter."""
