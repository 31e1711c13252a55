"""The error tree. Every error that a person can cause or mend is an `ExperimenterError` with one clear line.

    ExperimenterError
    ├── UsageError                what the person asked for cannot be understood or is out of bounds
    ├── EnvironmentNotReady       something on this machine is missing (a package, a model file, a browser, disk, rights)
    ├── StoreError                the database cannot be opened, is corrupt, or is of a newer schema
    ├── ModelError                the model behind the gateway
    │   ├── ModelRefused          wrong key, unknown model, bad request: fails at once, never retried
    │   ├── ModelUnavailable      no answer after all retries
    │   ├── AnswerInvalid         answered, but not in the schema, also after repair
    │   └── BudgetSpent           the ledger has no calls, tokens or money left for this call
    ├── SandboxError              the sandbox itself failed (never what ran in it)
    │   └── ProgramRefused        the screen refused the program; the message is fed back to its writer
    ├── JobError                  a training job could not be prepared (its own failure is a value, not an exception)
    └── SkillError                a skill is missing, incomplete or does not fit

The message names the value, the valid choices and what to do next. The CLI prints it as one line and exits with `exit_code`.
"""

from __future__ import annotations


class ExperimenterError(Exception):
    """Base of all errors that are shown to a person as one line."""

    exit_code = 1


class UsageError(ExperimenterError):
    exit_code = 2


class EnvironmentNotReady(ExperimenterError):
    exit_code = 3


class StoreError(ExperimenterError):
    exit_code = 4


class ModelError(ExperimenterError):
    exit_code = 5


class ModelRefused(ModelError):
    pass


class ModelUnavailable(ModelError):
    pass


class AnswerInvalid(ModelError):
    pass


class BudgetSpent(ModelError):
    pass


class SandboxError(ExperimenterError):
    exit_code = 6


class ProgramRefused(SandboxError):
    pass


class JobError(ExperimenterError):
    exit_code = 7


class SkillError(ExperimenterError):
    exit_code = 8
