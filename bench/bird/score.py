"""What one would write to score BIRD predictions: one process, Python's sqlite3, the official rule.

    python3 score.py <BIRD's folder> <times> <predictions.json> ...

Prints the number of right answers of each file, then the seconds in all. Queries are run <times> times over, each time
from the start: nothing is kept.
"""
import json
import os
import sqlite3
import sys
import time

data, times, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
started = time.perf_counter()
with open(os.path.join(data, "dev.json")) as file:
    gold = {(row["question_id"], row["db_id"]): row["SQL"] for row in json.load(file)}
with open(os.path.join(data, "dev_tied_append.json")) as file:
    for row in json.load(file):
        gold[row["question_id"], row["db_id"]] = row["SQL"]


def rows(connection, sql):
    return set(connection.execute(sql).fetchall())


def right(row):
    database = row["db_id"]
    path = os.path.join(data, "dev_databases", database, database + ".sqlite")
    connection = sqlite3.connect("file:" + path + "?mode=ro", uri=True)
    try:
        predicted = rows(connection, row["predicted_sql"])
        return predicted == rows(connection, gold[row["question_id"], database])
    except Exception:
        return False
    finally:
        connection.close()


for name in files:
    with open(name) as file:
        predictions = json.load(file)
    for _ in range(times):
        correct = sum(right(row) for row in predictions)
    print(correct)
print(time.perf_counter() - started)
