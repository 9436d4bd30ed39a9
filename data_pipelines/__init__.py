"""Raw music to a MashupDB: a folder per stage, each run with `python -m data_pipelines.<stage>`."""
