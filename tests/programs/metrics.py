"""Prints metric lines for three epochs, one value of which is not finite, for people and for machines."""

for epoch, loss in enumerate(["1.500000e+00", "nan", "7.5e-01"]):
    print(f"epoch {epoch}: loss={loss}")
    print(f"#metric epoch={epoch} name=train:loss value={loss};")
print("#metric epoch=2 name=validation:mAP50 value=0.5;")
