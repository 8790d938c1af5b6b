"""Builds a peer's index and measures its recall and speed; as a server it does so a line at a time.

    measure.py --engine NAME --dataset DIR [--k 10] [--mask FILE]   prints one JSON document
    measure.py --serve NAME                                         answers lines of JSON (README.md)
    measure.py --list [--k 10]                                      prints the engines with their grids
"""
import argparse
import ctypes
import datetime
import gc
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import peers
from dataset import Truth, exact_neighbours, read_dataset, read_mask, read_neighbours

# Queries before the clock runs: another process may have had the caches.
WARM_UP = 100

DRIVER = pathlib.Path(sys.prefix) / "bin" / "hnswlib-driver"


class Session:
    """One peer on one data set: each operation of the line protocol is a method that takes the request's members."""

    def __init__(self, engine):
        self.engine = engine
        _, self.make, self.defaults, _ = peers.ENGINES[engine]
        self.everywhere = os.sched_getaffinity(0)

    def answer(self, request):
        members = dict(request)
        operation = members.pop("op", None)
        if operation not in ("open", "build", "load", "save", "mask", "point"):
            return {"ok": False, "error": f"unknown op {operation}"}
        try:
            return {"ok": True, **getattr(self, operation)(**members)}
        except Exception as error:
            # Whatever a peer's library throws is the answer to this line, and no reason to lose the built index.
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def open(self, dataset):
        self.data = read_dataset(dataset)
        self.peer = self.make(self.data)
        self.use(self.data.truth)
        n, d = self.data.base.shape
        version = importlib.metadata.version(self.peer.distribution)
        return {"engine": self.engine, "version": version, "n": n, "d": d, "queries": len(self.data.queries), "metric": self.data.metric}

    def use(self, neighbours):
        self.neighbours, self.truths = neighbours, {}

    def truth(self, k):
        if k not in self.truths:
            self.truths[k] = Truth(self.data, self.neighbours, k)
        return self.truths[k]

    def build(self, parameters=None, threads=1):
        os.sched_setaffinity(0, self.everywhere)
        parameters = {**self.defaults, **(parameters or {})}
        if parameters.get("lists", 0) is None:
            parameters["lists"] = peers.list_count(len(self.data.base))
        return {**self.made(lambda: self.peer.build(parameters, threads)), "parameters": parameters}

    def load(self, path):
        return self.made(lambda: self.peer.load(path))

    def made(self, make):
        self.peer.index = None
        before, start = resident(), time.perf_counter()
        make()
        return {"seconds": time.perf_counter() - start, "memory_bytes": max(0, resident() - before)}

    def save(self, path):
        self.peer.save(path)
        return {"bytes": os.path.getsize(path)}

    def mask(self, path=None, truth=None):
        self.peer.restrict(read_mask(path, len(self.data.base)) if path else None)
        self.use(read_neighbours(truth, len(self.data.queries)) if path else self.data.truth)
        return {"masked": path is not None}

    def point(self, parameters, k=10, rounds=1, threads=1, queries=None, cpus=None):
        count = min(queries or len(self.data.queries), len(self.data.queries))
        truth = self.truth(k)
        os.sched_setaffinity(0, cpus or self.everywhere)
        readings, recalls = {}, {}
        if threads == 1:
            one = self.peer.searches(parameters, k, count)
            for number in range(min(count, WARM_UP)):
                one(number)
            readings["single"], answers = timed(lambda: [one(number) for number in range(count)], count, rounds)
            recalls["single"] = truth.recall(answers)
        together = self.peer.batch(parameters, k, count, threads)
        if together:
            readings["batch"], answers = timed(together, count, rounds)
            recalls["batch"] = truth.recall(answers)
        if not readings:
            raise ValueError(f"{self.engine} cannot do this with {threads} threads")
        call = max(readings, key=lambda name: statistics.median(readings[name]))
        return {"recall": recalls[call], "qps": statistics.median(readings[call]), "call": call, **readings}


class Driver:
    """The same, from a process that speaks the line protocol."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def answer(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the driver ended with {self.process.wait()}")
        return json.loads(line)


def timed(work, count, rounds):
    """Queries a second of each round, and the last round's answers."""
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        answers = work()
        rates.append(count / (time.perf_counter() - start))
    return rates, [list(map(int, answer)) for answer in answers]


def resident():
    """Anonymous memory of this process in bytes, after giving back what is free."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))


def ask(session, **request):
    """The answer to a request that has to succeed."""
    answer = session.answer(request)
    if not answer.pop("ok"):
        raise SystemExit(f"{request['op']}: {answer['error']}")
    return answer


def measure(options):
    """The whole document of one engine on one data set."""
    load = os.getloadavg()[0]
    session = Session(options.engine) if peers.ENGINES[options.engine][1] else Driver(DRIVER)
    opened = ask(session, op="open", dataset=options.dataset)
    builds = index(session, options)
    with tempfile.TemporaryDirectory() as scratch:
        if options.mask:
            ask(session, op="mask", path=options.mask, truth=options.truth or masked_truth(options, scratch))
        return {
            **opened, "dataset": pathlib.Path(options.dataset).resolve().name, "builds": builds, "k": options.k,
            "threads": options.threads, "cpus": options.cpus, "rounds": options.rounds, "mask": options.mask,
            "points": [point(session, options, parameters) for parameters in options.grid],
            "machine": machine(), "load": [load, os.getloadavg()[0]], "date": datetime.date.today().isoformat()}


def index(session, options):
    """Builds with each count of threads and keeps the last; or loads what an earlier run kept."""
    kept = options.keep and pathlib.Path(options.keep) / f"{pathlib.Path(options.dataset).resolve().name}-{options.engine}"
    if kept and kept.exists():
        ask(session, op="load", path=str(kept))
        return json.loads(kept.with_suffix(".json").read_text())
    builds = []
    for threads in options.build_threads:
        builds.append({"threads": threads, **ask(session, op="build", parameters=options.build, threads=threads)})
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        ask(session, op="save", path=str(kept))
        kept.with_suffix(".json").write_text(json.dumps(builds))
    return builds


def masked_truth(options, scratch):
    """A file of the true neighbours among the visible rows."""
    data = read_dataset(options.dataset)
    neighbours = exact_neighbours(data.base, data.queries, data.metric, options.k, read_mask(options.mask, len(data.base)))
    path = os.path.join(scratch, "truth.i32")
    neighbours.tofile(path)
    return path


def point(session, options, parameters):
    answer = session.answer({
        "op": "point", "parameters": parameters, "k": options.k, "rounds": options.rounds, "threads": options.threads,
        "queries": options.queries or None, "cpus": options.cpus or None})
    answer.pop("ok")
    return {"params": parameters, **answer}


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} processors"


def serve(engine):
    if peers.ENGINES[engine][1] is None:
        os.execv(DRIVER, [DRIVER])
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    session = Session(engine)
    for line in sys.stdin:
        answers.write(json.dumps(session.answer(json.loads(line))) + "\n")


def engines(k):
    return {
        "k": k,
        "engines": [
            {"name": name, "group": group, "build": {key: value for key, value in build.items() if value is not None}, "grid": grid(k)}
            for name, (group, _, build, grid) in peers.ENGINES.items()]}


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(prog="tools/peers", description="Measures the libraries Needletail is compared with.")
    parser.add_argument("--list", action="store_true", help="print the engines, their build parameters and their grids")
    parser.add_argument("--serve", metavar="ENGINE", choices=peers.ENGINES, help="answer lines of JSON; see tools/peers.d/README.md")
    parser.add_argument("--engine", choices=peers.ENGINES)
    parser.add_argument("--dataset", metavar="DIR")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--grid", type=json.loads, metavar="JSON", help="a list of search parameters (default: the engine's own)")
    parser.add_argument("--build", type=json.loads, default={}, metavar="JSON", help="build parameters beside the engine's own")
    parser.add_argument("--build-threads", type=numbers, default=[2], metavar="N[,N]", help="build with each, keep the last (2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of a search (1)")
    parser.add_argument("--cpus", type=numbers, metavar="N[,N]", help="processors to search on")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each point, of which the median counts (3)")
    parser.add_argument("--queries", type=int, help="ask the first N queries alone")
    parser.add_argument("--mask", metavar="FILE", help="rows to see: .u8 or .bits, for all queries or a row for each")
    parser.add_argument("--truth", metavar="FILE", help="true neighbours under the mask, int32 (default: computed)")
    parser.add_argument("--keep", metavar="DIR", help="keep built indexes here, and load them from here")
    options = parser.parse_args()
    if not (options.list or options.serve or (options.engine and options.dataset)):
        parser.error("needs --list, --serve, or --engine and --dataset")
    if options.engine and options.grid is None:
        options.grid = peers.ENGINES[options.engine][3](options.k)
    return options


def main():
    options = parse()
    if options.list:
        print(json.dumps(engines(options.k)))
    elif options.serve:
        serve(options.serve)
    else:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        answers.write(json.dumps(measure(options), indent=1) + "\n")


if __name__ == "__main__":
    main()
