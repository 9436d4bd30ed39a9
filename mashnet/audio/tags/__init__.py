"""What files say of the music in them: title, artist, licence, tempo, key, names of stems."""
