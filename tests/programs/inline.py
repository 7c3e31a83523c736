"""Runs the Python of its hyperparameter ``code``: for tests whose program is three lines."""

from environment import BASE, hyperparameters

exec(hyperparameters()["code"], {"BASE": BASE})
