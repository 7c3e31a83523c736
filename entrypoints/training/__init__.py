"""What the PyTorch programs share: devices and precision, starting weights. Imports torch, never a program."""
