"""What is typed: `mashnet <command>`, and the programs that need more than a few lines."""
