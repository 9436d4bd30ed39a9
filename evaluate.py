"""Evaluate: python evaluate.py checkpoint=runs/<run> protocol=mix_classification."""

from mashnet.commands.evaluate import main

if __name__ == "__main__":
    main()
