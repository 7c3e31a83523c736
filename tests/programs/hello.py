"""Says one line."""

print("hello")
