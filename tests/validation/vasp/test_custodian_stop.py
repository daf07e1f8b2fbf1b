"""A stop of this process ends the VASP that it has started, and VASP has the threads that the user gave it."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from vasp_runs import nickel_oxide, write_inputs

from screening.process.stopping import Stopped, stop_signals
from screening.process.threads import VARIABLES, set_environment
from screening.validation.vasp.custodian import Died, run_custodian


def is_alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_vasp_does_not_outlive_a_stop(tmp_path: Path) -> None:
    folder = write_inputs(tmp_path / "nio", nickel_oxide())
    slow = tmp_path / "vasp"
    slow.write_text("#!/bin/sh\necho $$ > pid\nsleep 600\ntouch ended\n")
    slow.chmod(0o755)

    def tell() -> None:
        while not (folder / "pid").is_file() or not (folder / "pid").read_text().strip():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=tell, daemon=True).start()
    with pytest.raises(Stopped), stop_signals():
        run_custodian(folder, [str(slow)])
    assert not is_alive(int((folder / "pid").read_text()))
    assert not (folder / "ended").exists()


def test_vasp_sees_what_the_user_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.process.threads._found", {})
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    set_environment()
    folder = write_inputs(tmp_path / "nio", nickel_oxide())
    script = tmp_path / "vasp"
    script.write_text("#!/bin/sh\nenv > seen\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(Died):
        run_custodian(folder, [str(script)])
    seen = dict(line.split("=", 1) for line in (folder / "seen").read_text().splitlines() if "=" in line)
    assert {name: seen.get(name) for name in VARIABLES} == dict.fromkeys(VARIABLES) | {"MKL_NUM_THREADS": "4"}
