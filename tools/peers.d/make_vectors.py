"""Makes a data set of clustered unit vectors of low intrinsic dimension, with exact neighbours, from a seed.

A vector is normalise(centre + plane z + noise). Centres gather around topics within one common subspace; each cluster
spreads in a plane of its own, half of it within the common subspace, along axes of falling length; clusters have Zipf's
sizes; a little noise fills all dimensions. So a vector has many numbers and few degrees of freedom, as embeddings have.

Rows are made in blocks, each from a stream of its own: the rows of a small set are the first rows of a larger one.
"""
import argparse
import pathlib
import time

import numpy as np

from dataset import TRUTH_DEPTH, exact_neighbours, normalised, write_meta

BLOCK = 10_000
COMMON = 64
CLUSTERS_PER_TOPIC = 25
SPREAD = 0.9
NOISE = 0.25
ZIPF = 0.8

# Streams of random numbers: each thing that is drawn has its own, so that none moves another.
MIXTURE, BASE, QUERIES, STRANGE_MIXTURE, STRANGE_QUERIES = range(5)


class Mixture:
    """Clusters to draw from, the same for the same seed and stream; `common` spans the subspace of their centres."""

    def __init__(self, seed, stream, d, clusters, rank, common):
        random = np.random.default_rng([seed, stream])
        self.seed = seed
        topics = random.standard_normal((max(1, clusters // CLUSTERS_PER_TOPIC), COMMON))
        centres = topics[random.integers(len(topics), size=clusters)] + 0.8 * random.standard_normal((clusters, COMMON))
        self.centres = normalised((centres @ common.T).astype(np.float32))
        lengths = 1 / np.sqrt(1 + np.arange(rank) / 10)
        self.planes = np.empty((clusters, d, rank), np.float32)
        for cluster in range(clusters):
            plane = random.standard_normal((d, rank)) / np.sqrt(d)
            plane += common @ random.standard_normal((COMMON, rank)) / np.sqrt(COMMON)
            self.planes[cluster] = plane / np.linalg.norm(plane, axis=0) * (lengths * SPREAD / np.linalg.norm(lengths))
        weights = 1 / np.arange(1, clusters + 1) ** ZIPF
        self.weights = weights / weights.sum()

    def block(self, stream, number, count, shift=0):
        """The first `count` rows of a block; `shift` is added to each before it gets its unit norm."""
        random = np.random.default_rng([self.seed, stream, number])
        d, rank = self.planes.shape[1:]
        clusters = np.sort(random.choice(len(self.centres), BLOCK, p=self.weights))
        within = random.standard_normal((BLOCK, rank), dtype=np.float32)
        rows = random.standard_normal((BLOCK, d), dtype=np.float32) * np.float32(NOISE / np.sqrt(d))
        rows += self.centres[clusters] + np.float32(shift)
        for cluster in np.unique(clusters):
            members = slice(*np.searchsorted(clusters, (cluster, cluster + 1)))
            rows[members] += within[members] @ self.planes[cluster].T
        return normalised(rows)[random.permutation(BLOCK)[:count]]

    def blocks(self, stream, n, shift=0):
        for number, first in enumerate(range(0, n, BLOCK)):
            yield self.block(stream, number, min(BLOCK, n - first), shift)


def queries(options, mixture, common):
    if not options.out_of_distribution:
        return np.concatenate(list(mixture.blocks(QUERIES, options.queries)))
    # Another kind of thing in the same space, as questions are to passages: clusters of its own, and half a norm to one side.
    strange = Mixture(options.seed, STRANGE_MIXTURE, options.d, options.clusters, options.rank, common)
    aside = np.random.default_rng([options.seed, STRANGE_QUERIES]).standard_normal(options.d)
    return np.concatenate(list(strange.blocks(STRANGE_QUERIES, options.queries, 0.5 * aside / np.linalg.norm(aside))))


def parse():
    parser = argparse.ArgumentParser(prog="tools/make-vectors", description="Makes a data set of clustered vectors from a seed.")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--rank", type=int, default=30, help="degrees of freedom within a cluster (30)")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out-of-distribution", action="store_true", help="queries come from clusters that the base does not have")
    options = parser.parse_args()
    if options.d < COMMON or options.n < TRUTH_DEPTH:
        parser.error(f"needs at least {COMMON} dimensions and {TRUTH_DEPTH} rows")
    return options


def main():
    options, start = parse(), time.perf_counter()
    options.directory.mkdir(parents=True, exist_ok=True)
    common = np.linalg.qr(np.random.default_rng([options.seed, COMMON]).standard_normal((options.d, COMMON)))[0]
    mixture = Mixture(options.seed, MIXTURE, options.d, options.clusters, options.rank, common)
    base = options.directory / "base.f32"
    with open(base, "wb") as file:
        for block in mixture.blocks(BASE, options.n):
            block.astype("<f4").tofile(file)
    asked = queries(options, mixture, common).astype("<f4")
    asked.tofile(options.directory / "query.f32")
    rows = np.memmap(base, "<f4", "r", shape=(options.n, options.d))
    exact_neighbours(rows, asked, "cosine", TRUTH_DEPTH).astype("<i4").tofile(options.directory / "gt100.i32")
    write_meta(
        options.directory, "cosine", options.n, options.d, options.queries, clusters=options.clusters, rank=options.rank,
        seed=options.seed, out_of_distribution=options.out_of_distribution)
    print(f"{options.n} x {options.d}, {options.queries} queries in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
