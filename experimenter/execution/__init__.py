"""Execution: what turns a `TrainJob` into a `JobResult`, in this process, in local child processes or on a cluster.

Read `base` (the contract), `failures`, `folder` (where a job lives on disk and who may write what), `curve`, `worlds`,
`job` (the meeting place of trainers, curricula, rewards and evaluation), `process` and `worker` (child processes), then the
executors `inline`, `local`, `ray`. Nothing here talks to a model or to the database.
"""
