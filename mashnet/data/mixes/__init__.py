"""What PreMixNet and PostMixNet are fed: mixes of a vocal and an accompaniment, as recipes."""
