"""What goes wrong with a builder's project.

DepinError
└── Rejected
    ├── ConfigRejected     config-…   `depin.toml` is missing, or holds what is not allowed
    ├── SampleRejected     sample     a line of the sample data does not fit the schema
    ├── TraceRejected      trace      the rule's trace is not the data it should be
    ├── ScaffoldRefused    scaffold   the folder exists, or the template does not
    └── DeployRefused      project-…  the project cannot be put onto this network as it is
"""

from __future__ import annotations

from opendepin.core.errors import Rejected


class ConfigRejected(Rejected):
    """The project's file is missing, malformed or contradicts itself."""

    code = "config"


class SampleRejected(Rejected):
    """The sample data cannot be read as readings of the schema."""

    code = "sample"


class TraceRejected(Rejected):
    """What the sandbox gave back is not the trace of a rule."""

    code = "trace"


class ScaffoldRefused(Rejected):
    """No project can be made there."""

    code = "scaffold"


class DeployRefused(Rejected):
    """The project does not go onto this network as it is."""

    code = "project-deploy"
