"""One module for each stage of an experiment; `experiment/pipeline.py` has the table of them."""
