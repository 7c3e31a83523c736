"""What the PyTorch programs share, from the verbs to the results. Never imports a program.

`run`, `verbs`, `resume` and `results` import torch nowhere, so that a program can refuse wrong data before it loads;
`devices`, `weights`, `starter` and `heads` need it; `ultralytics_*` serve the program that trains with Ultralytics.
"""
