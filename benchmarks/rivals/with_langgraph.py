"""LangGraph with its SQLite checkpointer, which writes before the next node begins (``durability="sync"``)."""

import sqlite3
import time
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.rivals import job

GIVEN = job.order()
CONFIG: Any = {"configurable": {"thread_id": "ten"}, "recursion_limit": job.STEPS + 5}


class Reached(TypedDict):
    number: int


def one(reached: Reached) -> Reached:
    number = reached["number"] + 1
    job.step(GIVEN, number)
    return {"number": number}


def more(reached: Reached) -> str:
    return END if reached["number"] == job.STEPS else "one"


def main() -> None:
    GIVEN.state.mkdir(parents=True, exist_ok=True)
    saver = SqliteSaver(sqlite3.connect(GIVEN.state / "checkpoints.sqlite", check_same_thread=False))
    builder = StateGraph(Reached)
    builder.add_node("one", one)
    builder.add_edge(START, "one")
    builder.add_conditional_edges("one", more)
    graph = builder.compile(checkpointer=saver)
    if GIVEN.verb == "serve":
        job.wait(GIVEN)
        return
    known = graph.get_state(CONFIG).values
    began = time.monotonic()
    graph.invoke(None if known else {"number": 0}, CONFIG, durability="sync")
    job.say(time.monotonic() - began)


main()
