"""What goes wrong between us and the machine.

DepinError
├── Rejected
│   ├── SettingsRejected      settings-…   a key, type or value of a settings file is not allowed
│   ├── Problem               (any code)   an HTTP request is refused with a status of its own
│   └── HomeLocked            home-locked  another network runs in this home directory
├── PeerFault
│   ├── AnswerRefused         answer-…     a peer answers too much, too slowly, or packed
│   └── ChildFailed           child-…      a child process did not start, or ended
└── Broken
    ├── RotFound              rot          stored bytes are not the ones that were written
    ├── LogFailed             log-failed   the disk failed under a record; no more is accepted
    ├── LogFull               log-full     no room for the record; nothing was written, try later
    └── PortTaken             port-taken   no free port where a service wants to listen
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class SettingsRejected(Rejected):
    """A settings file holds something that is not allowed; the text names key, value and what
    is.
    """

    code = "settings"


class Problem(Rejected):
    """A refused HTTP request: status, stable code and one sentence, with what else the answer
    carries.
    """

    code = "problem"

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retry_after_s: float | None = None,
        allow: str = "",
        **extra: object,
    ) -> None:
        super().__init__(detail, code=code)
        self.allow = allow
        """Methods that the path takes, for the Allow header of a 405."""
        self.status = status
        self.retry_after_s = retry_after_s
        self.extra = extra


class HomeLocked(Rejected):
    """Another process holds the lock of this home directory."""

    code = "home-locked"


class ChildFailed(PeerFault):
    """A child process did not start, ended early or said what it should not."""

    code = "child-failed"


class RotFound(Broken):
    """Stored bytes fail their checksum: they are never served."""

    code = "rot"


class LogFailed(Broken):
    """The disk failed while a record was written; what is durable is unknown until the log is
    opened again.
    """

    code = "log-failed"


class LogFull(Broken):
    """The disk has no room for a record; the log is as it was before."""

    code = "log-full"


class PortTaken(Broken):
    """A port that a service must listen on is taken."""

    code = "port-taken"
