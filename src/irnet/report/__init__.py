"""Pictures and pages for people: what was found, drawn on the image."""
