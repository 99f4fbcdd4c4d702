"""Claims: one owner at a time, and none that outlives its process or its silence."""

import json
import multiprocessing
import os
import socket
import threading
import time

import pytest

from irnet.study import claims
from irnet.study.claims import CLAIM, HeldError, claimed


def write_claim(folder, *, host=None, pid=None, token="other", age_s=0.0):
    folder.mkdir(exist_ok=True)
    owner = {"host": host or socket.gethostname(), "pid": os.getpid() if pid is None else pid, "token": token}
    path = folder / CLAIM
    path.write_text(json.dumps(owner))
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def dead_process() -> int:
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    assert process.pid is not None
    return process.pid


def test_a_claim_lasts_as_long_as_its_block(tmp_path):
    with claimed(tmp_path / "row"):
        assert json.loads((tmp_path / "row" / CLAIM).read_text())["pid"] == os.getpid()
        with pytest.raises(HeldError, match=f"process {os.getpid()}"), claimed(tmp_path / "row"):
            pass
    assert list((tmp_path / "row").iterdir()) == []
    with claimed(tmp_path / "row"):
        pass


def test_a_claim_ends_with_an_error_too(tmp_path):
    with pytest.raises(RuntimeError), claimed(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_another_machine_keeps_its_claim_while_it_beats(tmp_path):
    write_claim(tmp_path, host="elsewhere", pid=1, age_s=claims.STALE_S - 60)
    with pytest.raises(HeldError, match="elsewhere"), claimed(tmp_path):
        pass
    assert json.loads((tmp_path / CLAIM).read_text())["token"] == "other"


def test_a_silent_claim_is_taken(tmp_path):
    write_claim(tmp_path, host="elsewhere", pid=1, age_s=claims.STALE_S + 60)
    with claimed(tmp_path):
        assert json.loads((tmp_path / CLAIM).read_text())["token"] != "other"
    assert list(tmp_path.iterdir()) == []


def test_the_claim_of_a_killed_process_is_taken_at_once(tmp_path):
    write_claim(tmp_path, pid=dead_process())
    with claimed(tmp_path):
        pass


def test_a_claim_is_kept_alive(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.01)
    with claimed(tmp_path):
        path = tmp_path / CLAIM
        os.utime(path, (0, 0))
        until = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_a_claim_that_was_taken_away_is_left_to_its_new_owner(tmp_path):
    with claimed(tmp_path):
        write_claim(tmp_path)
    assert json.loads((tmp_path / CLAIM).read_text())["token"] == "other"


def test_a_live_claim_that_comes_in_between_is_given_back(tmp_path, monkeypatch):
    write_claim(tmp_path, host="elsewhere", pid=1, age_s=claims.STALE_S + 60)
    monkeypatch.setattr(claims, "_is_stale", lambda *_: write_claim(tmp_path, token="third").exists())
    with pytest.raises(HeldError), claimed(tmp_path):
        pass
    assert json.loads((tmp_path / CLAIM).read_text())["token"] == "third"
    assert [path.name for path in tmp_path.iterdir()] == [CLAIM]


def test_of_many_one_gets_a_stale_claim(tmp_path):
    write_claim(tmp_path, host="elsewhere", pid=1, age_s=claims.STALE_S + 60)
    winners, release = [], threading.Event()
    ready = threading.Barrier(8)

    def work(number: int) -> None:
        ready.wait()
        try:
            with claimed(tmp_path):
                winners.append(number)
                release.wait(10)
        except HeldError:
            pass

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 10
    while sum(thread.is_alive() for thread in threads) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    release.set()
    for thread in threads:
        thread.join()
    assert len(winners) == 1


def test_a_claim_that_is_being_written_is_anothers(tmp_path):
    (tmp_path / CLAIM).touch()
    with pytest.raises(HeldError, match="another process works on it"), claimed(tmp_path):
        pass
