// What the operations do that read without a question: lists, counts by value, the tree, prepared filters.
import Engine
import Wire

extension RequestHandler {
    func list(_ authorized: Authorized, _ snapshot: DatabaseSnapshot, _ response: inout ResponseWriter) throws(WireError) {
        let (request, caller) = (authorized.request, authorized.caller)
        let (id, sequence) = (request.id, snapshot.sequence)
        switch request.operation {
        case .list(let list):
            let collection = try collection(list.collection, snapshot, caller)
            var input = list.input
            input.prepared = try prepared(list.prepared, collection)
            let page = try engine { () throws(EngineError) in try collection.list(input, seal: database.cursorSeal) }
            try response.list(id, sequence: sequence, collection, page, with: list.with)
        case .facet(let facet):
            let collection = try collection(facet.collection, snapshot, caller)
            let prepared = try prepared(facet.prepared, collection)
            let counts = try engine { () throws(EngineError) in
                try collection.facet(facet.field, filter: facet.filter, under: facet.under, prepared: prepared, limit: facet.limit)
            }
            try response.facet(id, sequence: sequence, counts)
        case .nodes(let nodes):
            let collection = try collection(nodes.collection, snapshot, caller)
            if let ids = nodes.ids { return try response.tree(id, sequence: sequence, collection, ids: ids, with: nodes.with) }
            guard let page = try engine({ () throws(EngineError) in try collection.tree(nodes.input, seal: database.cursorSeal) }) else {
                throw WireError(EngineError(.notFound, "there is no node \"\(nodes.input.parent ?? "")\"", field: "parent"))
            }
            try response.tree(id, sequence: sequence, collection, page, with: nodes.with)
        case .prepareFilter(let input):
            let collection = try collection(input.collection, snapshot, caller)
            let handle = Self.newHandle()
            try engine { () throws(EngineError) in try database.preparedFilters.prepare(input.filter, for: collection, handle: handle) }
            response.prepared(id, sequence: sequence, handle: handle)
        case .dropFilter(let handle):
            try engine { () throws(EngineError) in try database.preparedFilters.drop(handle) }
            response.done(id, sequence: sequence)
        default: preconditionFailure("other operations are served elsewhere")
        }
    }

    /// The filters that a request names by handles.
    func prepared(_ handles: [String], _ collection: CollectionSnapshot) throws(WireError) -> [PreparedFilter] {
        try engine { () throws(EngineError) in try database.preparedFilters.filters(handles, of: collection) }
    }

    /// 128 bits from the system: who was not told one does not find it.
    private static func newHandle() -> String {
        var random = SystemRandomNumberGenerator()
        let digits = (0..<2).map { _ in
            let digits = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return "f-" + digits.joined()
    }
}
