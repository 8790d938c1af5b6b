"""The libraries Needletail is compared with, each behind the same few verbs."""
import numpy as np

import faiss
import hnswlib
import usearch.index

# Multiples of k to which a beam is opened.
BEAMS = (1, 1.4, 2, 2.8, 4, 5.6, 8, 11.2, 16, 22.4, 32, 64)
PROBES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Peer:
    """An index of one library over one data set; searches take parameters of the peer's own."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.mask = None

    def restrict(self, mask):
        """Lets later searches see the rows of `mask` alone, (n,) for all queries or (queries, n); None lifts it."""
        self.mask = mask

    def of_query(self, number):
        return self.mask if self.mask is None or self.mask.ndim == 1 else self.mask[number]

    def searches(self, parameters, k, count):
        """A function that answers the query of a number; what can be prepared is prepared here, before the clock runs."""
        raise NotImplementedError

    def batch(self, parameters, k, count, threads):
        """A function that answers the first `count` queries in one call; None where that cannot be asked."""
        return None


class HnswlibPython(Peer):
    distribution = "hnswlib"

    def empty(self):
        return hnswlib.Index(space="l2" if self.dataset.metric == "l2" else "ip", dim=self.dataset.base.shape[1])

    def build(self, parameters, threads):
        self.index = self.empty()
        self.index.init_index(len(self.dataset.base), M=parameters["M"], ef_construction=parameters["efC"], random_seed=100)
        self.index.add_items(self.dataset.base, num_threads=threads)

    def save(self, path):
        self.index.save_index(path)

    def load(self, path):
        self.index = self.empty()
        self.index.load_index(path)

    def searches(self, parameters, k, count):
        self.index.set_ef(max(k, parameters["ef"]))
        filters = [self.filter(number) for number in range(count)]

        def one(number):
            try:
                return self.index.knn_query(self.dataset.queries[number], k, num_threads=1, filter=filters[number])[0][0]
            except RuntimeError:
                # The binding refuses an answer of fewer than k rows: nothing was found, as its caller sees it.
                return ()

        return one

    def filter(self, number):
        mask = self.of_query(number)
        return None if mask is None else mask.tolist().__getitem__

    def batch(self, parameters, k, count, threads):
        # A callback into Python gains nothing from one call, and from two threads still less.
        if self.mask is not None:
            return None
        self.index.set_ef(max(k, parameters["ef"]))
        return lambda: self.index.knn_query(self.dataset.queries[:count], k, num_threads=threads)[0]


class Faiss(Peer):
    distribution = "faiss-cpu"

    def __init__(self, dataset, description):
        super().__init__(dataset)
        self.description = description

    def build(self, parameters, threads):
        n, d = self.dataset.base.shape
        faiss.omp_set_num_threads(threads)
        metric = faiss.METRIC_L2 if self.dataset.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        self.index = faiss.index_factory(d, self.description.format(half=d // 2, **parameters), metric)
        if "efC" in parameters:
            self.index.hnsw.efConstruction = parameters["efC"]
        self.index.train(self.dataset.base)
        self.index.add(self.dataset.base)

    def save(self, path):
        faiss.write_index(self.index, path)

    def load(self, path):
        self.index = faiss.read_index(path)

    def settings(self, parameters, mask):
        """What faiss wants beside the query: the parameters and the rows it may see."""
        chosen = {} if mask is None else {"sel": faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))}
        if "ef" in parameters:
            return faiss.SearchParametersHNSW(efSearch=parameters["ef"], **chosen)
        if "probes" not in parameters:
            return faiss.SearchParameters(**chosen)
        lists = self.index.base_index if "refine" in parameters else self.index
        kind = faiss.IVFRaBitQSearchParameters if "RaBitQ" in type(faiss.downcast_index(lists)).__name__ else faiss.SearchParametersIVF
        probes = kind(nprobe=parameters["probes"], **chosen)
        if "refine" not in parameters:
            return probes
        return faiss.IndexRefineSearchParameters(k_factor=parameters["refine"], base_index_params=probes)

    def searches(self, parameters, k, count):
        faiss.omp_set_num_threads(1)
        shared = self.settings(parameters, self.of_query(0)) if self.mask is None or self.mask.ndim == 1 else None
        settings = [shared or self.settings(parameters, self.of_query(number)) for number in range(count)]
        queries = [self.dataset.queries[number:number + 1] for number in range(count)]
        return lambda number: self.index.search(queries[number], k, params=settings[number])[1][0]

    def batch(self, parameters, k, count, threads):
        if self.mask is not None and self.mask.ndim > 1:
            return None
        faiss.omp_set_num_threads(threads)
        settings = self.settings(parameters, self.mask)
        return lambda: self.index.search(self.dataset.queries[:count], k, params=settings)[1]


class Usearch(Peer):
    distribution = "usearch"

    def __init__(self, dataset, type):
        super().__init__(dataset)
        self.type = type
        if type == "i8" and dataset.metric != "cosine":
            raise ValueError("usearch rounds to i8 by direction alone, which takes cosine")

    def build(self, parameters, threads):
        metric = {"l2": "l2sq", "cosine": "cos", "ip": "ip"}[self.dataset.metric]
        self.index = usearch.index.Index(
            ndim=self.dataset.base.shape[1], metric=metric, dtype=self.type,
            connectivity=parameters["M"], expansion_add=parameters["efC"])
        self.index.add(np.arange(len(self.dataset.base)), self.dataset.base, threads=threads)

    def save(self, path):
        self.index.save(path)

    def load(self, path):
        self.index = usearch.index.Index.restore(path)

    def restrict(self, mask):
        if mask is not None:
            raise ValueError("usearch has no filter in Python")

    def searches(self, parameters, k, count):
        self.index.expansion_search = parameters["ef"]
        return lambda number: self.index.search(self.dataset.queries[number], k, threads=1).keys

    def batch(self, parameters, k, count, threads):
        self.index.expansion_search = parameters["ef"]
        return lambda: self.index.search(self.dataset.queries[:count], k, threads=threads).keys


def beams(k):
    return [{"ef": round(k * times)} for times in BEAMS if k * times <= 1600]


def probes(k):
    return [{"probes": count} for count in PROBES]


def refined_probes(k):
    return [{"probes": count, "refine": factor} for factor in (3, 10, 30) for count in PROBES]


def list_count(n):
    """Inverted lists for n rows: the power of two near 4 sqrt(n)."""
    return 1 << round(np.log2(4 * np.sqrt(n)))


GRAPH = {"M": 16, "efC": 200}

# Name: group, how it is made (None: the C++ driver), how it is built, its grid at k.
ENGINES = {
    "hnswlib": ("hnswlib", None, GRAPH, beams),
    "hnswlib-python": ("hnswlib-python", HnswlibPython, GRAPH, beams),
    "faiss-hnsw": ("faiss", lambda data: Faiss(data, "HNSW{M},Flat"), GRAPH, beams),
    "faiss-hnsw-sq8": ("faiss", lambda data: Faiss(data, "HNSW{M}_SQ8"), GRAPH, beams),
    "faiss-ivf": ("faiss", lambda data: Faiss(data, "IVF{lists},Flat"), {"lists": None}, probes),
    "faiss-ivf-pq": ("faiss", lambda data: Faiss(data, "IVF{lists},PQ{half}x4fs,RFlat"), {"lists": None}, refined_probes),
    "faiss-ivf-rabitq": ("faiss", lambda data: Faiss(data, "IVF{lists},RaBitQfs,RFlat"), {"lists": None}, refined_probes),
    "faiss-flat": ("faiss", lambda data: Faiss(data, "Flat"), {}, lambda k: [{}]),
    "usearch": ("usearch", lambda data: Usearch(data, "f32"), GRAPH, beams),
    "usearch-i8": ("usearch", lambda data: Usearch(data, "i8"), GRAPH, beams),
}
