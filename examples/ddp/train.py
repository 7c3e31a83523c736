"""Trains a small network on several hosts at once: script mode, torchrun, DistributedDataParallel.

Every batch is shared out among the ranks, so the result is that of one process on the whole batch. Rank 0 alone writes
the model and the metrics. `launch.py` beside this file creates the job; the same script runs on one host as well.
"""

import argparse
import json
import os
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

IMAGES = 256


def make_images(seed: int) -> TensorDataset:
    """Generated (IMAGES, 1, 16, 16) pictures of noise; those of class 1 have a bright bar."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(IMAGES, 1, 16, 16, generator=generator)
    classes = torch.arange(IMAGES) % 2
    images[classes == 1, :, 7:9, :] += 0.5
    return TensorDataset(images, classes, torch.arange(IMAGES))


def make_model() -> nn.Module:
    """No batch normalisation: its averages would be those of a rank's share."""
    features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    return nn.Sequential(features, nn.Linear(8 * 16, 2))


def mean_over_ranks(value: Tensor) -> float:
    dist.all_reduce(value)
    return value.item() / dist.get_world_size()


def train(epochs: int, batch_size: int, learning_rate: float, seed: int) -> None:
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if torch.cuda.is_available() else torch.device("cpu")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(seed)
    model = DistributedDataParallel(make_model().to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
    images = make_images(seed)
    sampler = DistributedSampler(images, seed=seed)
    print(f"rank {rank} of {ranks} trains on images {' '.join(map(str, sampler))}", flush=True)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        total = torch.zeros((), device=device)
        for inputs, classes, _ in DataLoader(images, batch_size // ranks, sampler=sampler):
            loss = nn.functional.cross_entropy(model(inputs.to(device)), classes.to(device))
            optimizer.zero_grad()
            loss.backward()  # averages the gradients of all ranks
            optimizer.step()
            total += loss.detach() * len(inputs) / len(sampler)
        mean = mean_over_ranks(total)
        if rank == 0:
            print(f"#metric epoch={epoch + 1} name=train:loss value={mean:.6e};", flush=True)
    if rank == 0:
        torch.save(model.module.state_dict(), Path(os.environ["SM_MODEL_DIR"], "model.pth"))
        metrics = {"train:loss": mean, "ranks": ranks}
        Path(os.environ["SM_OUTPUT_DATA_DIR"], "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32, help="of all ranks together; a multiple of their number")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    train(**vars(parser.parse_args()))
