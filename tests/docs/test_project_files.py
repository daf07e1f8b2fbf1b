"""Files about the project say the same as the project."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_names_this_version_and_the_article():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation), "what CFF 1.2.0 requires"
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert citation["keywords"] == PROJECT["keywords"]
    (article,) = citation["references"]
    assert {"authors", "title", "type"} <= set(article)
    assert f"doi:{article['doi']}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_commit_is_checked_as_make_lint_checks():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    commands = [line.strip().replace("$(VENV)", ".venv") for line in recipe.splitlines()]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert local["repo"] == "local", "hooks from elsewhere have versions of their own"
    assert [hook["entry"] for hook in local["hooks"]] == commands
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in local["hooks"])
