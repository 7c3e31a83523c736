"""Users' own scripts in our images: trained with through AWS's sagemaker-training toolkit, or served.

`launch.py`, beside this folder, calls `training.main` and `inference.main`.
"""
