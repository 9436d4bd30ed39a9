"""The MashupDB, its views, and what Lightning needs to read them."""
