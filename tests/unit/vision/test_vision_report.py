from pathlib import Path

from vision import record, report


def sample(name: str, *labels: int) -> record.Sample:
    objects = tuple(record.Instance(label, (1, 1, 5, 5), (8, 8)) for label in labels)
    return record.Sample(Path(name), name, 8, 8, objects, name)


def test_the_contact_sheet_shows_every_class_and_images_without_objects() -> None:
    samples = [sample(f"crazing_{index}", 0) for index in range(30)]
    samples += [sample("patches_1", 1), sample("patches_2", 1), sample("sound")]
    shown = report.shown(record.Dataset(("crazing", "patches"), tuple(samples), has_masks=False), [[] for _ in samples])
    names = [one.name for one, _ in shown]
    assert len(names) == report.SHOWN
    assert names[:6] == ["crazing_0", "patches_1", "sound", "crazing_1", "patches_2", "crazing_2"]
