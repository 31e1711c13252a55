"""The graph, its checkpoints, and how a session is run or resumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphDrained
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import RunControl

from experimenter.errors import StoreError, UsageError
from experimenter.graph import nodes
from experimenter.graph.state import State
from experimenter.research.racing import SessionDrained
from experimenter.services import Services

GRAPH_VERSION = "2"
"""Stored with each session. Raise it when a node is renamed, added or removed: an old thread would end silently."""
INTERRUPT = "__interrupt__"
"""LangGraph's name for a pause in what it streams."""
_RECURSION_LIMIT = 1_000_000


def build_graph(saver: SqliteSaver | None = None) -> Any:
    """Compile the orchestrator's graph."""
    graph = StateGraph(State, context_schema=Services)
    for name, node in {
        "read_goal": nodes.read_goal,
        "recall": nodes.recall,
        "propose": nodes.propose,
        "take_task": nodes.take_task,
        "write_rewards": nodes.write_rewards,
        "race": nodes.race,
        "judge": nodes.judge,
        "extend": nodes.extend,
        "certify": nodes.certify,
        "reflect": nodes.reflect,
        "ask": nodes.ask,
        "drop": nodes.drop,
        "next": nodes.next_task,
        "finish": nodes.finish,
    }.items():
        graph.add_node(name, node)
    graph.add_edge(START, "read_goal")
    graph.add_edge("read_goal", "recall")
    graph.add_edge("write_rewards", "race")
    graph.add_edge("race", "judge")
    graph.add_edge("extend", "race")
    graph.add_edge("reflect", "ask")
    graph.add_edge("ask", "write_rewards")
    graph.add_edge("drop", "next")
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=saver)


def run_session(services: Services, control: RunControl) -> str:
    """Run the session to its end, to a question for the person, or to the next boundary after a drain request; returns its state.

    The same call starts a session and resumes it: finished steps are bookmarks in `checkpoints.db`. A question that was answered
    meanwhile is not asked again: its node runs anew and finds the answer in the database.
    """
    row = services.journal.session()
    if row.graph_version != GRAPH_VERSION:
        raise UsageError(
            f"session {row.id} was begun by graph version {row.graph_version}, this program has {GRAPH_VERSION}: "
            "resume it with the program version that began it, or start it anew; its results and skills stay."
        )
    with open_saver(services.home) as saver:
        graph = build_graph(saver)
        config = {"configurable": {"thread_id": row.id}, "recursion_limit": _RECURSION_LIMIT}
        begun = graph.get_state(config).created_at is not None
        services.journal.set_state("running")
        begin: State | None = None if begun else {"session_id": row.id}
        try:
            for step in graph.stream(
                begin, config, context=services, durability="sync", control=control, stream_mode="updates"
            ):
                prune(saver, row.id)
                if INTERRUPT in step:
                    services.journal.set_state(
                        "waiting", "waits for an answer between two generations; it can be resumed"
                    )
        except (GraphDrained, SessionDrained):
            services.journal.set_state("drained", "stopped on request; it can be resumed")
    return services.journal.session().state


@contextmanager
def open_saver(home: Path) -> Iterator[SqliteSaver]:
    """Open `checkpoints.db`: LangGraph's own file, apart from the database that is the truth."""
    path = home / "checkpoints.db"
    connection = sqlite3.connect(path, check_same_thread=False, timeout=30.0)
    try:
        saver = SqliteSaver(connection)
        saver.setup()
        yield saver
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"the checkpoint file {path} cannot be used ({error}): move it away and resume; finished work is in the database."
        ) from error
    finally:
        connection.close()


def prune(saver: SqliteSaver, thread: str) -> None:
    """Keep only the newest checkpoint of a thread: the older ones serve nobody and the file would grow for ever."""
    with saver.lock:
        saver.conn.execute(
            "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_id < (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ?)",
            (thread, thread),
        )
        saver.conn.execute(
            "DELETE FROM writes WHERE thread_id = ? AND checkpoint_id < (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ?)",
            (thread, thread),
        )
        saver.conn.commit()
