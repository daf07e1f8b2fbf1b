"""The commands of the way to DFT and back (docs/validation.md), and the folder they are run in."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore

ROOT = Path(__file__).parents[2]
NOT_INHERITED = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
HOST, MG = "LiNbO3", "Mg_Li-vLi-1of12"


def loop_commands() -> list[list[str]]:
    """Arguments of every line between the guide's two marks, without the leading ``screen``."""
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- loop:begin -->\n```sh\n(.*?)\n```\n<!-- loop:end -->", text, flags=re.DOTALL)
    assert block is not None, "the guide has lost its loop"
    lines = [shlex.split(line) for line in block[1].splitlines()]
    assert all(line[0] == "screen" for line in lines)
    return [line[1:] for line in lines]


@dataclass
class Loop:
    """A folder in which the commands are run.

    Attributes
    ----------
    done
        What each of the commands gave.
    first_ranking, first_tags
        Ranking and MLflow tags of the first run as its screen left them, before anything came back from VASP.
    """

    folder: Path
    done: list[subprocess.CompletedProcess[str]] = field(default_factory=list)
    first_ranking: pd.DataFrame | None = None
    first_tags: dict[str, str] = field(default_factory=dict)

    def screen(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as in a shell in which this interpreter's environment is active: its programs are on PATH."""
        code = "import sys; sys.argv[0] = 'screen'; from screening.cli.app import main; main()"
        programs = Path(sys.executable).parent
        environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        environment |= {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "COATSCREEN_CACHE": str(self.folder / "cache"),
            "COLUMNS": "200",
        }
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment, check=False)

    def records(self, run: str) -> list[Record]:
        return RecordStore(self.folder / "runs" / run / "store.db").records()

    def ranking(self, run: str) -> pd.DataFrame:
        """ranking.csv by candidate; empty cells are empty text in `flags` and NaN elsewhere."""
        table = pd.read_csv(self.folder / "runs" / run / "ranking.csv", index_col="candidate")
        table["flags"] = table["flags"].fillna("")
        return table

    def tracked(self) -> list[Run]:
        client = MlflowClient(tracking_uri=f"sqlite:///{self.folder / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("coatscreen")
        assert experiment is not None
        return list(client.search_runs([experiment.experiment_id]))

    def campaign(self, run: str) -> Run:
        """The one campaign of a run folder in MLflow."""
        (found,) = [r for r in self.tracked() if "coatscreen.campaign" in r.data.tags and r.info.run_name == run]
        return found

    def contents(self, name: str) -> dict[str, bytes]:
        """Every file below a folder; empty when there is none."""
        top = self.folder / name
        return {str(p.relative_to(top)): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}
