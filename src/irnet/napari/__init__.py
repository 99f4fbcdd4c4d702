"""The napari plugin: cells and nuclei as overlapping shapes, read, found, edited and written."""
