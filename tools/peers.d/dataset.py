"""The data set directory: vectors, queries and their true neighbours, in plain binary files.

    meta.json                n, d, metric (l2, cosine or ip), queries; "dim", "euclidean" and "angular" are understood too
    base.f32|f16|u8[.gz]     n x d numbers, little-endian, row-major, no header
    query*.f32|f16|u8[.gz]   the queries, alike
    gt100.i32                the 100 true nearest rows of each query, nearest first, ties by lowest id

Under cosine every row is divided by its norm after widening, whatever is stored.
"""
import gzip
import json
import pathlib
from dataclasses import dataclass

import numpy as np

METRICS = {"l2": "l2", "euclidean": "l2", "cosine": "cosine", "angular": "cosine", "ip": "ip"}
TYPES = {".f32": np.dtype("<f4"), ".f16": np.dtype("<f2"), ".u8": np.dtype("u1")}
TRUTH_DEPTH = 100

# Candidates beyond those asked for: what float32 products may put in the wrong order is put right among them.
SLACK = 48
BLOCK_ROWS = 20_000


@dataclass
class Dataset:
    metric: str
    base: np.ndarray
    queries: np.ndarray
    truth: np.ndarray


def read_dataset(directory):
    """The data set of a directory, all of it in memory as float32."""
    directory = pathlib.Path(directory)
    meta = json.loads((directory / "meta.json").read_text())
    metric = METRICS[meta["metric"].split()[0]]
    width = meta.get("d", meta.get("dim"))
    base = _read_vectors(directory, "base", width, metric)
    if len(base) != meta["n"]:
        raise ValueError(f"{directory}: base has {len(base)} rows, meta.json says {meta['n']}")
    queries = _read_vectors(directory, "query", width, metric)
    return Dataset(metric, base, queries, read_neighbours(directory / "gt100.i32", len(queries)))


def _read_vectors(directory, prefix, width, metric):
    for path in sorted(directory.glob(prefix + "*")):
        packed = path.suffix == ".gz"
        type = TYPES.get(path.with_suffix("").suffix if packed else path.suffix)
        if type is None:
            continue
        stored = np.frombuffer(gzip.decompress(path.read_bytes()), type) if packed else np.fromfile(path, type)
        rows = stored.reshape(-1, width).astype(np.float32)
        return normalised(rows) if metric == "cosine" else rows
    raise FileNotFoundError(f"{directory}: no {prefix}*.f32, .f16 or .u8")


def read_neighbours(path, queries):
    """Row ids as int32, one row of them for each query; -1 stands where there is no more."""
    return np.fromfile(path, "<i4").reshape(queries, -1)


def normalised(rows):
    """Each row divided by its norm; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def write_meta(directory, metric, n, d, queries, **more):
    meta = {"n": n, "d": d, "metric": metric, "queries": queries, **more}
    (pathlib.Path(directory) / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def read_mask(path, n):
    """What a query may see, from a file of bytes (.u8) or bits, lowest first, rows of whole bytes (.bits).

    One row of n for all queries comes back with shape (n,), a row for each query with shape (queries, n)."""
    path = pathlib.Path(path)
    stored = np.fromfile(path, np.uint8)
    if path.suffix == ".bits":
        rows = np.unpackbits(stored.reshape(-1, (n + 7) // 8), axis=1, count=n, bitorder="little")
    else:
        rows = stored.reshape(-1, n)
    rows = rows.astype(bool)
    return rows[0] if len(rows) == 1 else rows


def exact_neighbours(base, queries, metric, k, visible=None):
    """The k nearest rows of each query as int32, nearest first, ties by lowest id, -1 where fewer are visible.

    Products in float32 choose the candidates, a block of rows at a time; their distances in float64 have the last word."""
    best = np.full((len(queries), 0), np.inf, np.float32)
    best_rows = np.zeros((len(queries), 0), np.int32)
    for first in range(0, len(base), BLOCK_ROWS):
        block = np.asarray(base[first:first + BLOCK_ROWS], np.float32)
        near = -(queries @ block.T)
        if metric == "l2":
            near = 2 * near + np.einsum("ij,ij->i", block, block)
        if visible is not None:
            near[~np.broadcast_to(visible[..., first:first + BLOCK_ROWS], near.shape)] = np.inf
        rows = np.broadcast_to(np.arange(first, first + len(block), dtype=np.int32), near.shape)
        best, best_rows = _nearest(np.hstack([best, near]), np.hstack([best_rows, rows]), k + SLACK)

    truth = np.full((len(queries), k), -1, np.int32)
    for query in range(len(queries)):
        candidates = np.sort(best_rows[query][np.isfinite(best[query])])
        order = np.argsort(distances(base[candidates], queries[query], metric), kind="stable")[:k]
        truth[query, :len(order)] = candidates[order]
    return truth


def _nearest(near, rows, count):
    if near.shape[1] <= count:
        return near, rows
    kept = np.argpartition(near, count - 1, axis=1)[:, :count]
    return np.take_along_axis(near, kept, 1), np.take_along_axis(rows, kept, 1)


def distances(rows, query, metric):
    """Float64 distances: squared for l2, the negative product otherwise."""
    rows, query = np.asarray(rows, np.float64), np.asarray(query, np.float64)
    return ((rows - query) ** 2).sum(1) if metric == "l2" else -(rows @ query)


class Truth:
    """Counts how many of the true k neighbours an answer has; rows at the distance of the k-th count like it."""

    def __init__(self, dataset, neighbours, k):
        self.k = k
        self.allowed = []
        self.wanted = 0
        for query, rows in zip(dataset.queries, neighbours):
            rows = rows[rows >= 0]
            wanted = min(k, len(rows))
            self.wanted += wanted
            near = distances(dataset.base[rows], query, dataset.metric)
            last = near[wanted - 1] if wanted else 0
            self.allowed.append((wanted, set(rows[near <= last + 1e-6 * abs(last)].tolist())))

    def recall(self, answers):
        asked = self.allowed[:len(answers)]
        wanted = sum(count for count, _ in asked)
        found = sum(min(count, len(rows.intersection(answer))) for (count, rows), answer in zip(asked, answers))
        return found / wanted if wanted else 1.0
