"""Our own format of truth and of predictions: COCO json, and the record of a run beside it."""
