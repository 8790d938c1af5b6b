// Files from one moment and a log from a later one: what an open makes of both.
@testable import Engine
import Testing
import TestSupport

@Suite struct ReplayTests {
    /// Kills under a load once left databases that did not open: a segment none of whose chunks was in force had gone, and the
    /// catalog of the last checkpoint still had the documents, as it was the log that deleted or replaced them.
    @Test(arguments: [false, true])
    func `a segment that went because the log had replaced all of it is not missed`(deletes: Bool) throws {
        let disk = FaultyDisk()
        var database = try TestDatabase.open(disk)
        _ = try database.write(.createCollection(.everything()))
        for id in ["a", "b"] { _ = try database.write(.upsert(UpsertInput(id, vectors: [(nil, [1, 2])]))) }
        try database.checkpoint()
        _ = try database.write(.upsert(UpsertInput("c", vectors: [(nil, [2, 1])])))
        try database.checkpoint()
        #expect(database.statistics.segments == 2)
        for id in ["a", "b"] {
            _ = try database.write(deletes ? .delete(DeleteInput(collection: "c", ids: [id])) : .upsert(UpsertInput(id, vectors: [(nil, [3, 4])])))
        }
        while try database.maintain() {}
        #expect(database.statistics.segments == 1, "the first has gone")

        for _ in 0..<2 {
            try database.close()
            disk.unlock()
            database = try TestDatabase.open(disk)
            let collection = try database.snapshot().collection("c")
            #expect(collection.overview.documentCount == (deletes ? 1 : 3) && collection.overview.chunkCount == collection.overview.documentCount)
            let hits = try collection.search(SearchInput([3, 4])).hits[0]
            #expect(hits.count == collection.overview.documentCount)
            try database.checkpoint()
        }
    }
}
