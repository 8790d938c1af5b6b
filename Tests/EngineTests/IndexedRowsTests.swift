// Which positions of an index may be seen, kept up from snapshot to snapshot, against a look at every one of them.
@testable import Engine
import Index
import Memory
import Testing
import TestSupport

@Suite struct IndexedRowsTests {
    /// Three pages of documents' versions, the last of them short.
    private static let documentCount = 2500

    @Test func `positions seen are those a look at every one finds, whichever snapshot asks and in whatever order`() throws {
        let seed = TestSeed(71)
        var random = seed.random
        let database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: [SpaceSchema(dimension: 2, metric: .l2)], fields: [])))
        _ = try database.write(.upsert(Self.documents(0..<Self.documentCount)))
        try database.checkpoint()
        while try database.maintainIndexes() {}
        var snapshots = [database.snapshot()]
        for _ in 0..<12 {
            let (first, count) = (Int.random(in: 0..<Self.documentCount, using: &random), [1, 3, 200].randomElement(using: &random)!)  // There are some.
            let numbers = first..<min(first + count, Self.documentCount)
            if random.oneIn(2) {
                _ = try database.write(.delete(DeleteInput(collection: "c", ids: numbers.map { "d\($0)" })))
            } else {
                _ = try database.write(.upsert(Self.documents(numbers)))
            }
            snapshots.append(database.snapshot())
        }
        for _ in 0..<60 {
            let number = Int.random(in: 0..<snapshots.count, using: &random)
            try check(snapshots[number], using: &random, "snapshot \(number), \(seed)")
        }
    }

    private func check(_ snapshot: DatabaseSnapshot, using random: inout SeededRandom, _ comment: String) throws {
        let collection = try snapshot.collection("c"), documents = collection.state.documents
        let segment = try #require(collection.parts.lazy.compactMap(\.segment).first)
        let found = try #require(segment.indexes[0]), index = try #require(found.index), indexed = try #require(found.rows)
        var allowed = Bitmap(count: documents.count), hidden = Bitmap(count: segment.rowCount)
        allowed.fill { _ in random.oneIn(2) }
        hidden.fill { _ in random.oneIn(5) }
        let vectors = segment.vectors[0]
        for hidden in [nil, hidden] {
            let rows = VisibleRows(index, indexed, allowed, hidden, documents.versions), visible = rows.visible
            let want = (0..<index.count).map { position in
                let row = Int(index.row(position)), document = Int(vectors.documents[row])
                return allowed[document] && documents.versions[document] == vectors.versions[row] && !(hidden?[row] ?? false)
            }
            #expect((0..<index.count).map { visible.words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 } == want, "\(comment)")
            #expect(visible.count == want.count { $0 }, "\(comment)")
            withExtendedLifetime(rows) {}
        }
    }

    private static func documents(_ numbers: Range<Int>) -> UpsertInput {
        var input = UpsertInput([])
        for number in numbers {
            var (document, chunk) = (DocumentInput("d\(number)"), ChunkInput())
            chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + 2)]
            input.floats += [Float(number % 50), Float(input.floats.count)]
            document.chunks = [chunk]
            input.documents.append(document)
        }
        return input
    }
}
