"""Raw music in, MashupDB out: one module per stage, each runnable with `python -m`."""
