"""What goes wrong with identities.

    DepinError
    ├── Rejected
    │   └── HistoryRejected   key-history       no registry could have written this history
    ├── PeerFault
    │   └── RegistryFault     registry-fault    the node contradicts the registry or itself
    └── Broken
        ├── FinalTakenBack    registry-taken-back  a block taken for final is gone
        └── IdentityFull      identity-full     more devices than this process may hold

What a device's state refuses (`unknown-device`, `wrong-project`, `suspended`, `revoked`) is raised
by `core.identity`.
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class HistoryRejected(Rejected):
    """A key history that is not one, or does not lead to the accumulator."""

    code = "key-history"


class RegistryFault(PeerFault):
    """The node told of events or blocks what cannot be; asking again may help."""

    code = "registry-fault"


class FinalTakenBack(Broken):
    """The chain went back behind what it had called final: nothing we judged by it holds."""

    code = "registry-taken-back"


class IdentityFull(Broken):
    """More devices than this process may hold in memory."""

    code = "identity-full"
