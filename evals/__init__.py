"""Scores of model behaviour with committed thresholds: data, task, scorer, and a fall that exits non-zero."""
