"""What programs share, from the verbs to the results. Never imports a program.

`run`, `verbs`, `resume`, `results`, `first`, `model_folder` and `mask_store` import no framework, so that a program can
refuse wrong data before one loads. `keras_*`, `segmenting` and `segmenter` are Keras' own; `devices`, `weights`, `loop`
and what gives an image one class are PyTorch's; `ultralytics_*` serve the program that trains with Ultralytics.
"""
