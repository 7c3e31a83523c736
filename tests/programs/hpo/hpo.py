"""A user's own training script with a Debugger hook: a line fitted through the numbers of the channel `train`."""

import argparse
import os
from pathlib import Path

import smdebug.pytorch as smd
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--learning-rate", type=float)
parser.add_argument("--model-dir", type=Path, default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--train", type=Path, default=os.environ["SM_CHANNEL_TRAIN"])
arguments = parser.parse_args()

numbers = [float(line) for path in sorted(arguments.train.iterdir()) for line in path.read_text().split()]
inputs, targets = torch.arange(float(len(numbers))).unsqueeze(1), torch.tensor(numbers).unsqueeze(1)
model, loss_of = torch.nn.Linear(1, 1), torch.nn.MSELoss()
hook = smd.Hook.create_from_json_file()
hook.register_module(model)
hook.register_loss(loss_of)
optimizer = torch.optim.SGD(model.parameters(), lr=arguments.learning_rate)
for epoch in range(arguments.epochs):
    optimizer.zero_grad()
    loss = loss_of(model(inputs), targets)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch + 1} of {arguments.epochs}: loss={loss.item():.4f}", flush=True)
print(f"hook saves to {hook.out_dir}", flush=True)
torch.save(model.state_dict(), arguments.model_dir / "model.pth")
