"""What a protocol asks about: mixes, loops, stems, songs and pairs of a MashupDB."""
