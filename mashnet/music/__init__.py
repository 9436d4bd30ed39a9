"""Keys, tempo and beats: arithmetic on music, no audio."""
