"""Trains a classifier as torchvision's references do: ImageFolder, PIL, transforms and a DataLoader, a plain loop.

What `references/classification/train.py` of torchvision does by default, on the CPU: a random crop and mirroring in
training, the middle of the resized image in evaluation, SGD, an evaluation and a checkpoint every epoch. A line an
epoch on stdout.
"""

import argparse
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    options = parse()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    train, validation = (loader(options, part) for part in ("train", "validation"))
    network = torchvision.models.get_model(options.model, weights=None, num_classes=len(train.dataset.classes))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)
    for epoch in range(1, options.epochs + 1):
        loss = train_one_epoch(network, criterion, optimizer, train)
        schedule.step()
        accuracy = evaluate(network, validation)
        parts = {"model": network, "optimizer": optimizer, "schedule": schedule}
        torch.save({name: part.state_dict() for name, part in parts.items()}, options.out / "checkpoint.pth")
        print(f"epoch {epoch}/{options.epochs}: loss {loss:.3f}, accuracy {accuracy:.3f}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, help="holds train/ and validation/, a folder a class in each")
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mobilenet_v3_small")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--img-size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def loader(options: argparse.Namespace, part: str) -> DataLoader:
    side_px, training = options.img_size, part == "train"
    shape = (
        [transforms.RandomResizedCrop(side_px, antialias=True), transforms.RandomHorizontalFlip(0.5)]
        if training
        else [transforms.Resize(round(side_px * 256 / 224), antialias=True), transforms.CenterCrop(side_px)]
    )
    values = [
        transforms.PILToTensor(),
        transforms.ConvertImageDtype(torch.float),
        transforms.Normalize(MEAN, DEVIATION),
    ]
    return DataLoader(
        datasets.ImageFolder(options.data / part, transforms.Compose([*shape, *values])),
        batch_size=options.batch_size,
        shuffle=training,
        num_workers=options.workers,
    )


def train_one_epoch(network: nn.Module, criterion: nn.Module, optimizer: torch.optim.Optimizer, data: DataLoader):
    network.train()
    total = 0.0
    for images, targets in data:
        loss = criterion(network(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(targets)
    return total / len(data.dataset)


def evaluate(network: nn.Module, data: DataLoader) -> float:
    network.eval()
    right = 0
    with torch.inference_mode():
        for images, targets in data:
            right += int((network(images).argmax(1) == targets).sum())
    return right / len(data.dataset)


if __name__ == "__main__":
    main()
