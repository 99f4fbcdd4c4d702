"""Names of the files that data sets and runs consist of."""

ANNOTATIONS = "annotations.json"  # of a data set
CORRECTED = "corrected.json"  # of the viewer: predictions that somebody reviewed
JOURNAL = "corrections.jsonl"  # of the viewer: edits

PREDICTIONS, RUN, ERRORS = "predictions.json", "run.json", "errors.json"
CELLS, IMAGES, OVERLAYS = "cells.csv", "images.csv", "overlays"
UNFINISHED = ".irnet-predict"  # folder with what a run did that is not finished

SLIDES_RUN, SLIDES = "slides.json", "slides"  # of a run over whole slides: what it is, and a folder for each
PLAN, CELLS_DB = "plan.json", "cells.db"  # of each slide
