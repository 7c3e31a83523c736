"""Durable records: what was written is there, for every thread and after a crash."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from local.store import Store


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "deep" / "state.db")
    yield store
    store.close()


def test_a_record_comes_back_as_it_was(store: Store):
    record = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    store.put("job", "x", record)
    assert store.get("job", "x") == record
    assert store.get("job", "y") is None
    assert store.get("tags", "x") is None


def test_insert_refuses_a_name_that_exists_and_leaves_it_as_it_was(store: Store):
    store.insert("job", "x", {"n": 1})
    with pytest.raises(KeyError, match="x"):
        store.insert("job", "x", {"n": 2})
    assert store.get("job", "x") == {"n": 1}


def test_all_lists_one_kind_by_name(store: Store):
    for name in ("b", "a", "c"):
        store.put("job", name, {"name": name})
    store.put("other", "z", {})
    assert [record["name"] for record in store.all("job")] == ["a", "b", "c"]


def test_delete_says_whether_there_was_something(store: Store):
    store.put("job", "x", {})
    assert store.delete("job", "x")
    assert not store.delete("job", "x")
    assert store.get("job", "x") is None


def test_of_many_threads_that_insert_one_name_one_succeeds(store: Store):
    outcomes: list[bool] = []

    def insert(number: int) -> None:
        try:
            store.insert("job", "x", {"n": number})
            outcomes.append(True)
        except KeyError:
            outcomes.append(False)

    threads = [threading.Thread(target=insert, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 19 + [True]


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path):
    program = (
        "import itertools, sys\nfrom pathlib import Path\nfrom local.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for n in itertools.count():\n"
        "    store.insert('k', f'{n:09d}', {'n': n})\n"
        "    print(n, flush=True)\n"
    )
    path = tmp_path / "state.db"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    for line in child.stdout:
        if int(line) == 20:
            break
    os.kill(child.pid, signal.SIGKILL)
    acknowledged = max([20, *(int(line) for line in child.stdout if line.endswith("\n"))])
    child.wait()
    store = Store(path)
    assert [record["n"] for record in store.all("k")][: acknowledged + 1] == list(range(acknowledged + 1))
    store.close()
