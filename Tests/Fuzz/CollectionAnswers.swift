// Everything that a collection can be asked for, for targets that compare or only want it to be answered.
@testable import Engine
import Memory
import TestSupport
@testable import Wire

enum CollectionAnswers {
    /// Every node with all there is of it, alone and together, and searches of every space over all rows and over what is
    /// allowed: as answered.
    static func all(_ collection: CollectionSnapshot) -> [[UInt8]] {
        let state = collection.state
        let ids = (0..<state.documents.count).map { state.documents.id($0) }
        var answers = [nodes(ids, of: collection)] + ids.prefix(16).map { nodes([$0], of: collection) }
        for space in state.schema.spaces where space.dimension <= 64 {
            for under in [nil, ids] as [[String]?] { answers.append(hits(in: space, under: under, of: collection)) }
        }
        return answers
    }

    private static func nodes(_ ids: [String], of collection: CollectionSnapshot) -> [UInt8] {
        var get = GetInput()
        get.ids = ids
        get.with = [.text, .title, .url, .mime, .fields, .heading, .vector, .parent, .time]
        return answer { (response) throws(WireError) in try response.nodes(.none, sequence: 1, collection, get) }
    }

    private static func hits(in space: SpaceSchema, under: [String]?, of collection: CollectionSnapshot) -> [UInt8] {
        var search = SearchRequest()
        search.input.space = space.name
        search.input.floats = [Float](repeating: 1, count: space.dimension)
        search.input.vectors = [0..<space.dimension]
        search.input.under = under
        return answer { (response) throws(WireError) in
            let result: SearchResult
            do throws(EngineError) { result = try collection.search(search.input) } catch { throw WireError(error) }
            try response.search(.none, sequence: 1, collection, search, result, microseconds: 0)
        }
    }

    private static func answer(_ body: (inout ResponseWriter) throws(WireError) -> Void) -> [UInt8] {
        var response = ResponseWriter()
        do throws(WireError) { try body(&response) } catch { response.failure(.none, error) }
        return response.withBytes { Array(copying: $0) }
    }
}
