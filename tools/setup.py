"""Install all that the product needs into the checkout; do again only what changed.

In: the lock files, the Go engine's source, the asset builder's source. Out: `.venv`,
`node_modules`, `.build/bin`, `.build/assets`. Each step leaves a stamp in `.build/stamps` that
holds the hash of its inputs; a step whose stamp and outputs still stand is skipped.

Nothing but Python, its venv module and make is expected of the machine: uv, Node and Go come
from the Python registry, all pinned by hash. A good Node or Go on the PATH is used instead.
"""

from __future__ import annotations

import argparse
import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("OpenDePIN needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")

from setup_stamps import Progress, clear_stamp, is_fresh, write_stamp
from setup_steps import SetupError, locked, steps


def main() -> int:
    """Run each stale step in order; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dev", action="store_true", help="install tests and gates as well")
    parser.add_argument("--verbose", action="store_true", help="say which steps were fresh")
    wanted = parser.parse_args()
    progress = Progress(sys.stdout)
    try:
        with locked():
            for step in steps(dev=wanted.dev):
                if is_fresh(step):
                    if wanted.verbose:
                        progress.say(f"{step.title}: up to date")
                    continue
                clear_stamp(step)
                with progress.during(step.title):
                    step.run()
                write_stamp(step)
    except SetupError as error:
        progress.fail(str(error))
        return 1
    except KeyboardInterrupt:
        progress.fail("stopped; run it again to go on where it stopped")
        return 130
    progress.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
