"""The MashupDB and its three views: mixes, loops, stems."""
