"""Training, evaluation and prediction: what the verbs of the command line call."""
