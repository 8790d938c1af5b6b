// hnswlib at its best: its own headers, called from C++, behind the line protocol of README.md.
#include <sched.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <hnswlib/hnswlib.h>
#include <simdjson.h>

namespace {

using simdjson::dom::element;
namespace fs = std::filesystem;

// Members

std::string text(const element &from, const char *name) {
    return std::string(std::string_view(from[name]));
}

int64_t number(const element &from, const char *name, int64_t otherwise) {
    int64_t value;
    return from[name].get(value) == simdjson::SUCCESS ? value : otherwise;
}

std::string quoted(const std::string &message) {
    std::string out = "\"";
    for (char c : message) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + "\"";
}

std::string list(const std::vector<double> &values) {
    std::ostringstream out;
    out << '[';
    for (size_t i = 0; i < values.size(); i++) out << (i ? "," : "") << values[i];
    out << ']';
    return out.str();
}

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Anonymous memory of this process in bytes: what an index adds, without mapped files.
size_t resident() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
    throw std::runtime_error("/proc/self/status has no RssAnon");
}

// Files

/// All bytes of a file, unpacked where it is a gzip one: zlib reads the others as they are.
std::vector<char> contents(const fs::path &path) {
    std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    gzbuffer(file.get(), 1 << 20);
    const size_t step = 64 << 20;
    std::vector<char> bytes;
    for (;;) {
        size_t filled = bytes.size();
        bytes.resize(filled + step);
        int read = gzread(file.get(), bytes.data() + filled, step);
        if (read < 0) throw std::runtime_error("cannot unpack " + path.string());
        bytes.resize(filled + read);
        if (read == 0) return bytes;
    }
}

template <class Stored> std::vector<float> widened(const std::vector<char> &bytes) {
    std::vector<float> numbers(bytes.size() / sizeof(Stored));
    for (size_t i = 0; i < numbers.size(); i++) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
        numbers[i] = static_cast<float>(stored);
    }
    return numbers;
}

std::vector<int> integers(const std::vector<char> &bytes) {
    std::vector<int> numbers(bytes.size() / sizeof(int));
    std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(int));
    return numbers;
}

/// The first file in the directory that begins with `prefix` and has an ending that names a type of number.
std::vector<float> vectors(const fs::path &directory, const std::string &prefix) {
    std::set<fs::path> paths(fs::directory_iterator(directory), {});
    for (const fs::path &path : paths) {
        std::string name = path.filename();
        if (!name.starts_with(prefix)) continue;
        if (name.ends_with(".gz")) name.resize(name.size() - 3);
        if (name.ends_with(".f32")) return widened<float>(contents(path));
        if (name.ends_with(".f16")) return widened<_Float16>(contents(path));
        if (name.ends_with(".u8")) return widened<unsigned char>(contents(path));
    }
    throw std::runtime_error(directory.string() + ": no " + prefix + "*.f32, .f16 or .u8");
}

void normalise(std::vector<float> &rows, size_t width) {
    for (size_t at = 0; at < rows.size(); at += width) {
        double sum = 0;
        for (size_t i = at; i < at + width; i++) sum += double(rows[i]) * rows[i];
        if (sum == 0) continue;
        float scale = static_cast<float>(1 / std::sqrt(sum));
        for (size_t i = at; i < at + width; i++) rows[i] *= scale;
    }
}

struct Dataset {
    size_t n = 0, width = 0, queryCount = 0;
    bool l2 = false;
    std::string metric;
    std::vector<float> base, queries;
    std::vector<int> truth;

    explicit Dataset(const fs::path &directory) {
        simdjson::dom::parser parser;
        element meta = parser.load((directory / "meta.json").string());
        n = number(meta, "n", 0);
        width = number(meta, "d", number(meta, "dim", 0));
        metric = text(meta, "metric");
        l2 = metric == "l2" || metric == "euclidean";
        bool cosine = metric.starts_with("cosine") || metric == "angular";
        if (!l2 && !cosine && metric != "ip") throw std::runtime_error("unknown metric " + metric);
        metric = l2 ? "l2" : cosine ? "cosine" : "ip";
        base = vectors(directory, "base");
        queries = vectors(directory, "query");
        if (!width || base.size() != n * width || queries.size() % width)
            throw std::runtime_error(directory.string() + ": the files are not as long as meta.json says");
        queryCount = queries.size() / width;
        if (cosine) normalise(base, width), normalise(queries, width);
        truth = integers(contents(directory / "gt100.i32"));
    }

    const float *row(size_t id) const { return base.data() + id * width; }
    const float *query(size_t number) const { return queries.data() + number * width; }

    double distance(size_t id, size_t number) const {
        const float *x = row(id), *q = query(number);
        double sum = 0;
        for (size_t i = 0; i < width; i++) sum += l2 ? (double(x[i]) - q[i]) * (double(x[i]) - q[i]) : -double(x[i]) * q[i];
        return sum;
    }
};

// Recall

/// Counts how many of the true k neighbours an answer has; rows at the distance of the k-th count like it.
struct Truth {
    std::vector<size_t> wanted;
    std::vector<std::set<int>> allowed;

    Truth(const Dataset &data, const std::vector<int> &rows, size_t k) {
        size_t depth = rows.size() / data.queryCount;
        for (size_t query = 0; query < data.queryCount; query++) {
            const int *begin = rows.data() + query * depth, *end = std::find(begin, begin + depth, -1);
            size_t count = std::min<size_t>(k, end - begin);
            double last = count ? data.distance(begin[count - 1], query) : 0;
            std::set<int> near;
            for (const int *row = begin; row < end; row++)
                if (data.distance(*row, query) <= last + 1e-6 * std::abs(last)) near.insert(*row);
            wanted.push_back(count);
            allowed.push_back(std::move(near));
        }
    }

    double recall(const std::vector<std::vector<int>> &answers) const {
        size_t all = 0, found = 0;
        for (size_t query = 0; query < answers.size(); query++) {
            size_t right = 0;
            for (int row : answers[query]) right += allowed[query].contains(row);
            all += wanted[query];
            found += std::min(wanted[query], right);
        }
        return all ? double(found) / all : 1;
    }
};

/// What queries may see: a bit for each row, one row of bits for all queries or one for each.
class Mask {
public:
    Mask(const fs::path &path, size_t n) : stride((n + 7) / 8), bits(contents(path)) {
        if (path.extension() != ".bits") bits = packed(bits, n);
        if (bits.empty() || bits.size() % stride) throw std::runtime_error(path.string() + " is not a mask of this base");
    }

    const char *of(size_t query) const { return bits.size() == stride ? bits.data() : bits.data() + query * stride; }

private:
    size_t stride;
    std::vector<char> bits;

    static std::vector<char> packed(const std::vector<char> &bytes, size_t n) {
        size_t stride = (n + 7) / 8;
        std::vector<char> bits(bytes.size() / n * stride);
        for (size_t at = 0; at < bytes.size() / n * n; at++) bits[at / n * stride + at % n / 8] |= (bytes[at] != 0) << (at % n % 8);
        return bits;
    }
};

struct Visible : hnswlib::BaseFilterFunctor {
    const char *bits = nullptr;
    bool operator()(hnswlib::labeltype id) override { return bits[id / 8] >> (id % 8) & 1; }
};

// Session

class Session {
public:
    Session() { sched_getaffinity(0, sizeof everywhere, &everywhere); }

    std::string answer(const element &request) {
        std::string op = text(request, "op");
        if (op == "open") return open(request);
        if (!data) throw std::runtime_error("open a data set first");
        if (op == "build") return build(request);
        if (op == "load") return load(request);
        if (!index) throw std::runtime_error("build or load an index first");
        if (op == "save") return save(request);
        if (op == "mask") return restrict(request);
        if (op == "point") return point(request);
        throw std::runtime_error("unknown op " + op);
    }

private:
    using Index = hnswlib::HierarchicalNSW<float>;

    /// Queries before the clock runs: another process may have had the caches.
    static constexpr size_t warmUp = 100;

    cpu_set_t everywhere;
    std::optional<Dataset> data;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<Index> index;
    std::optional<Mask> mask;
    std::vector<int> truthRows;
    std::optional<Truth> truth;
    size_t truthDepth = 0;

    std::string open(const element &request) {
        data.emplace(text(request, "dataset"));
        index.reset();
        mask.reset();
        setTruth(data->truth);
        if (data->l2)
            space = std::make_unique<hnswlib::L2Space>(data->width);
        else
            space = std::make_unique<hnswlib::InnerProductSpace>(data->width);
        std::ostringstream out;
        out << "\"engine\":\"hnswlib\",\"version\":\"" HNSWLIB_VERSION "\",\"n\":" << data->n << ",\"d\":" << data->width
            << ",\"queries\":" << data->queryCount << ",\"metric\":\"" << data->metric << '"';
        return out.str();
    }

    void setTruth(std::vector<int> rows) {
        if (rows.empty() || rows.size() % data->queryCount) throw std::runtime_error("the truth is not one row for each query");
        truthRows = std::move(rows);
        truth.reset();
    }

    std::string build(const element &request) {
        sched_setaffinity(0, sizeof everywhere, &everywhere);
        element parameters = request["parameters"];
        index.reset();
        size_t before = resident();
        double start = seconds();
        index = std::make_unique<Index>(space.get(), data->n, number(parameters, "M", 16), number(parameters, "efC", 200), number(request, "seed", 100));
        index->addPoint(data->row(0), 0);
        // The order of the file, as callers of the library insert.
        std::atomic<size_t> next = 1;
        inParallel(number(request, "threads", 1), [&](size_t) {
            for (size_t id; (id = next++) < data->n;) index->addPoint(data->row(id), id);
        });
        return built(seconds() - start, before);
    }

    std::string load(const element &request) {
        index.reset();
        size_t before = resident();
        double start = seconds();
        index = std::make_unique<Index>(space.get(), text(request, "path"));
        return built(seconds() - start, before);
    }

    static std::string built(double took, size_t before) {
        size_t after = resident();
        return "\"seconds\":" + std::to_string(took) + ",\"memory_bytes\":" + std::to_string(after > before ? after - before : 0);
    }

    std::string save(const element &request) {
        index->saveIndex(text(request, "path"));
        return "\"bytes\":" + std::to_string(fs::file_size(text(request, "path")));
    }

    std::string restrict(const element &request) {
        if (request["path"].error() || request["path"].is_null()) {
            mask.reset();
            setTruth(data->truth);
        } else {
            mask.emplace(text(request, "path"), data->n);
            setTruth(integers(contents(text(request, "truth"))));
        }
        return "\"masked\":" + std::string(mask ? "true" : "false");
    }

    std::string point(const element &request) {
        const size_t k = number(request, "k", 10), threads = number(request, "threads", 1);
        const size_t count = std::min<size_t>(data->queryCount, number(request, "queries", data->queryCount));
        if (!truth || truthDepth != k) truth.emplace(*data, truthRows, k), truthDepth = k;
        stayOn(request);
        index->setEf(number(request["parameters"], "ef", k));

        std::vector<std::vector<int>> answers(count);
        for (auto &answer : answers) answer.reserve(k);
        search(answers, 0, std::min(count, warmUp), k);
        std::vector<double> rates;
        for (int64_t round = 0; round < number(request, "rounds", 1); round++) {
            double start = seconds();
            if (threads == 1)
                search(answers, 0, count, k);
            else
                inParallel(threads, [&](size_t part) { search(answers, count * part / threads, count * (part + 1) / threads, k); });
            rates.push_back(count / (seconds() - start));
        }
        std::ostringstream out;
        out << "\"recall\":" << truth->recall(answers) << ",\"qps\":" << median(rates) << ",\"call\":\"single\",\"single\":" << list(rates);
        return out.str();
    }

    void stayOn(const element &request) {
        cpu_set_t set = everywhere;
        simdjson::dom::array processors;
        if (request["cpus"].get(processors) == simdjson::SUCCESS && processors.size() > 0) {
            CPU_ZERO(&set);
            for (element processor : processors) CPU_SET(int64_t(processor), &set);
        }
        if (sched_setaffinity(0, sizeof set, &set)) throw std::runtime_error("no such processor");
    }

    void search(std::vector<std::vector<int>> &answers, size_t first, size_t end, size_t k) {
        Visible filter;
        for (size_t query = first; query < end; query++) {
            if (mask) filter.bits = mask->of(query);
            auto found = index->searchKnn(data->query(query), k, mask ? &filter : nullptr);
            auto &answer = answers[query];
            for (answer.clear(); !found.empty(); found.pop()) answer.push_back(static_cast<int>(found.top().second));
        }
    }

    template <class Work> static void inParallel(size_t threads, Work work) {
        std::vector<std::jthread> others;
        for (size_t part = 1; part < threads; part++) others.emplace_back(work, part);
        work(0);
    }
};

}  // namespace

int main() {
    Session session;
    simdjson::dom::parser parser;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            std::string answer = session.answer(parser.parse(line));
            std::cout << "{\"ok\":true," << answer << "}" << std::endl;
        } catch (const std::exception &error) {
            std::cout << "{\"ok\":false,\"error\":" << quoted(error.what()) << "}" << std::endl;
        }
    }
}
