"""Imported last by the process that workers are copies of: its copies look for no garbage in it."""

import gc

gc.freeze()
gc.enable()
