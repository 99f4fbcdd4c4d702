"""From annotated or generated images to a weights file; a run is a function of (seed, step)."""
