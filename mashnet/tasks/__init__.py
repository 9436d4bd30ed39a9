"""What is optimised, and how: one LightningModule per training task."""
