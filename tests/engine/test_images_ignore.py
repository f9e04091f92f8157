"""What .dockerignore leaves out is what BuildKit leaves out."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from containerdeploy.images import ignore
from containerdeploy.images.builder import find_builder
from containerdeploy.stack import Build

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine

FILES = (
    "Dockerfile",
    "README.md",
    "a.txt",
    "b.log",
    "docs/README.md",
    "docs/guide.md",
    "docs/deep/er/x.md",
    "node_modules/a/index.js",
    "node_modules/keep/index.js",
    "src/main.py",
    "src/__pycache__/main.pyc",
    "src/sub/b.log",
    "src/sub/c+d.txt",
    "src/sub/[x].txt",
    "src/sub/x.txt",
    "temp1",
    "temp12",
    "tempdir/inner",
    ".hidden/file",
    "sp ace/file",
)

CASES = {
    "nothing": "",
    "comments and blanks": "# a comment\n\n   \n #not-a-comment\nb.log\n",
    "root only": "*.log\nREADME.md\n",
    "anywhere": "**/*.log\n**/README.md\n**/__pycache__\n",
    "slashes": "/docs/\n./src/sub\n",
    "question": "temp?\n",
    "brought back below": "node_modules\n!node_modules/keep\n",
    "brought back by wildcard": "*\n!src\n!*.md\n",
    "brought back, then out": "docs\n!docs/*.md\ndocs/guide.md\n",
    "order": "!docs/guide.md\ndocs\n",
    "star star inside": "docs/**/x.md\n",
    "star star end": "src/**\n",
    "star star and back": "**\n!**/*.md\n",
    "one level": "*/*.md\n",
    "classes": "temp[0-9]\nsrc/sub/[x-z].txt\n",
    "escaped": "src/sub/\\[x\\].txt\n",
    "dots and pluses": "src/sub/c+d.txt\n.hidden\na.tx.\n",
    "spaces": "  sp ace  \n",
    "dot dot": "src/../docs\n",
    "windows line ends": "docs\r\n*.log\r\n",
    "the Dockerfile itself": "Dockerfile\n.dockerignore\n",
}


WIDER = {"star star and back", "dots and pluses"}
"""Where builders differ by their age, and `walk` keeps what any of them sends."""


@pytest.mark.parametrize("name", CASES)
def test_the_same_files_as_buildkit(name: str, tmp_path: Path) -> None:
    """`FROM scratch COPY . /` with this .dockerignore copies the files that `walk`
    finds; never one that it does not, for a change of that would go unseen."""
    context = tmp_path / "context"
    for path in FILES:
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(path)
    (context / "empty").mkdir()
    (context / "link").symlink_to("docs/guide.md")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (context / ".dockerignore").write_bytes(CASES[name].encode())
    build = Build(str(context), str(context / "Dockerfile"))

    out = tmp_path / "out"
    argv, environ = find_builder().command(
        build, tags=(), labels={}, iidfile=str(tmp_path / "iid"), no_cache=True
    )
    argv[-1:-1] = ["--output", f"type=local,dest={out}"]
    at = argv.index("--iidfile")
    del argv[at : at + 2]
    subprocess.run(argv, env=environ, check=True, capture_output=True, timeout=120)
    copied = sorted(str(path.relative_to(out)) for path in out.rglob("*"))

    patterns = ignore.read(context, context / "Dockerfile")
    walked = [path for path, _ in ignore.walk(context, patterns)]
    assert set(copied) <= set(walked)
    if name not in WIDER:
        files = {path for path in copied if not (context / path).is_dir()}
        assert {path for path in walked if not (context / path).is_dir()} == files
