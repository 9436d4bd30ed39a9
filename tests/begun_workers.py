"""Imported first by the process that workers are copies of: what it imports is no garbage."""

import gc

gc.disable()
