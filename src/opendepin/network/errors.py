"""What goes wrong when a network is built, started or asked.

DepinError
├── Rejected
│   ├── HomeRefused      home-…       the home directory is not one of ours, or of another version
│   └── UnknownRoom      unknown-room no room of that name
├── PeerFault
│   └── NotRunning       not-running  no network runs in this home directory
└── Broken
    └── StartFailed      start-failed a service did not come up; the text names its log
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class HomeRefused(Rejected):
    """The home directory cannot be used as it is."""

    code = "home"


class UnknownRoom(Rejected):
    """There is no such room."""

    code = "unknown-room"


class NotRunning(PeerFault):
    """No network runs in this home directory."""

    code = "not-running"


class StartFailed(Broken):
    """A service did not come up."""

    code = "start-failed"
