"""Music in, MashupDB out: sources → songs → clips, stems and annotations (docs/data.md)."""
