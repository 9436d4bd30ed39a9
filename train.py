"""Train a model: python train.py model=premixnet_lsro data=mashupdb data.root=data/real."""

from mashnet.commands.train import main

if __name__ == "__main__":
    main()
