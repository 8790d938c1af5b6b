"""Turns a data set of the ann-benchmarks comparison (train, test, neighbors in one HDF5 file) into a data set directory."""
import argparse
import pathlib

import h5py
import numpy as np

from dataset import METRICS, TRUTH_DEPTH, exact_neighbours, normalised, write_meta

BLOCK = 100_000


def write_base(rows, path):
    with open(path, "wb") as file:
        for first in range(0, len(rows), BLOCK):
            rows[first:first + BLOCK].astype("<f4").tofile(file)


def true_neighbours(base, asked, metric):
    if metric == "cosine":
        base, asked = normalised(np.asarray(base)), normalised(asked)
    return exact_neighbours(base, asked, metric, TRUTH_DEPTH)


def parse():
    parser = argparse.ArgumentParser(prog="tools/convert-hdf5", description="ann-benchmarks' HDF5 to a data set directory.")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--metric", choices=METRICS, help="where the file does not say it")
    parser.add_argument("--queries", type=int, default=1000, help="keep the first N queries (1000)")
    parser.add_argument("--compute", action="store_true", help="compute the true neighbours instead of taking the file's")
    return parser.parse_args()


def main():
    options = parse()
    options.directory.mkdir(parents=True, exist_ok=True)
    with h5py.File(options.file) as file:
        metric = METRICS[options.metric or file.attrs["distance"]]
        n, d = file["train"].shape
        asked = file["test"][:options.queries].astype("<f4")
        write_base(file["train"], options.directory / "base.f32")
        # Files with fewer than a hundred neighbours a query are computed anew.
        kept = "neighbors" in file and file["neighbors"].shape[1] >= TRUTH_DEPTH and not options.compute
        truth = file["neighbors"][:len(asked), :TRUTH_DEPTH] if kept else None
    asked.tofile(options.directory / "query.f32")
    if truth is None:
        truth = true_neighbours(np.memmap(options.directory / "base.f32", "<f4", "r", shape=(n, d)), asked, metric)
    truth.astype("<i4").tofile(options.directory / "gt100.i32")
    write_meta(options.directory, metric, n, d, len(asked), source=options.file.name)
    print(f"{n} x {d}, {len(asked)} queries, {metric}, neighbours {'of the file' if kept else 'computed'}")


if __name__ == "__main__":
    main()
