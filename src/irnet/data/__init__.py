"""Files to samples: images, annotations, checks and splits."""
