// A database and the model of it, written to at random, for tests of what is read without a query vector.
@testable import Engine
import Memory
import Testing
import TestSupport

/// One collection with a field of every type, and what it must hold.
struct ReadWitness {
    let database: Database
    private(set) var model = Model()
    let seed: TestSeed
    var random: SeededRandom

    init(seed: UInt64) throws {
        database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        self.seed = TestSeed(seed)
        random = self.seed.random
        try write(.createCollection(RandomInput.schemas[0]))
    }

    /// A write that both take or both refuse.
    mutating func write(_ write: Write) throws {
        let expected = Result { () throws(Refusal) in try model.apply(write) }
        switch (Result(catching: { () throws(EngineError) in try database.write(write) }), expected) {
        case (.success, .success): break
        case (.failure(let error), .failure(let refusal)) where Refusal(error) == refusal: break
        case (let found, _): throw Broken("\(write) came to \(found), expected \(expected)")
        }
    }

    mutating func writeAtRandom() throws {
        let write = RandomInput.write(on: model, using: &random)
        switch write {
        case .createCollection, .dropCollection: return
        default: if write.collectionName == "one" { try self.write(write) }
        }
    }

    var expected: ModelCollection { model.collections["one"]! }  // Made at first, never dropped.
    var collection: CollectionSnapshot { get throws { try database.snapshot().collection("one") } }
}

extension CollectionSnapshot {
    func ids(_ bitmap: Bitmap?) -> Set<Text> {
        var ids: Set<Text> = []
        (bitmap ?? state.liveDocuments()).forEach { ids.insert(Text(state.documents.id($0))) }
        return ids
    }
}

extension NodeView {
    var text: Text { Text(bytes: Array(copying: id)) }
}
