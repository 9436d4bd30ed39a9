"""What audio encoders put before the music, and how their streams are laid out."""
