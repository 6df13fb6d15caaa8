"""Speech from text: the voices of this machine, and the corpora they speak."""
