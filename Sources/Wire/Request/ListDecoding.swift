// Requests that read without a question: lists, counts by value, the tree, and the filters prepared for them.
package import Engine

package struct ListRequest: Sendable {
    package var collection = ""
    package var input = ListInput()
    /// Handles of prepared filters.
    package var prepared: [String] = []
    package var with: Parts = .listDefault
}

package struct FacetRequest: Sendable {
    package var collection = ""
    package var field = ""
    package var filter: Filter?
    package var under: [String]?
    package var prepared: [String] = []
    package var limit = 100
}

package struct NodesRequest: Sendable {
    package var collection = ""
    package var input = TreeInput()
    /// These, instead of those that lie under one.
    package var ids: [String]?
    package var with: Parts = .treeDefault
}

package struct PrepareInput: Sendable {
    package var collection = ""
    package var filter = Filter.all([])
}

extension Parts {
    static let listDefault: Parts = [.title, .url, .fields, .parent, .time]
    static let treeDefault: Parts = [.title]
    /// What a node of the tree can be asked for.
    fileprivate static let ofTree: [(name: String, part: Parts)] = [
        ("title", .title), ("url", .url), ("mime", .mime), ("fields", .fields), ("parent", .parent), ("time", .time), ("path", .path),
    ]
}

extension RequestDecoder {
    static func list(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var request = ListRequest()
        try members(root, "list") { (key, value) throws(WireError) in
            switch key {
            case "collection": request.collection = try value.decodeString(key)
            case "filter": request.input.filter = try FilterDecoder.decode(value, field: key)
            case "under": request.input.under = try value.decodeOneOrMoreStrings(key, max: WireLimits.idsMax)
            case "prepared": request.prepared = try value.decodeHandles(key)
            case "order_by": request.input.orderBy = try value.decodeString(key)
            case "descending": request.input.isDescending = try value.decodeBool(key)
            case "cursor": request.input.cursor = try value.decodeCursor(key)
            case "limit": request.input.limit = try value.decodeInt(key, in: 1...Limits.listMax)
            case "with": request.with = try value.decodeParts(key)
            default: return false
            }
            return true
        }
        try present(request.collection, "collection", "list")
        return .list(request)
    }

    static func facet(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var request = FacetRequest()
        try members(root, "facet") { (key, value) throws(WireError) in
            switch key {
            case "collection": request.collection = try value.decodeString(key)
            case "field": request.field = try value.decodeString(key)
            case "filter": request.filter = try FilterDecoder.decode(value, field: key)
            case "under": request.under = try value.decodeOneOrMoreStrings(key, max: WireLimits.idsMax)
            case "prepared": request.prepared = try value.decodeHandles(key)
            case "limit": request.limit = try value.decodeInt(key, in: 1...Limits.facetValuesMax)
            default: return false
            }
            return true
        }
        try present(request.collection, "collection", "facet")
        try present(request.field, "field", "facet")
        return .facet(request)
    }

    static func nodes(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var request = NodesRequest()
        // What is said of a list of children, and of no list of ids.
        var ofChildren: String?
        try members(root, "nodes") { (key, value) throws(WireError) in
            switch key {
            case "collection": request.collection = try value.decodeString(key)
            case "ids": request.ids = try value.decodeStrings(key, max: WireLimits.idsMax)
            case "with": request.with = try value.decodeParts(key, of: Parts.ofTree)
            case "limit": request.input.limit = try value.decodeInt(key, in: 1...Limits.listMax)
            case "parent": if !value.isNull { request.input.parent = try value.decodeString(key) }
            case "title_prefix": request.input.titlePrefix = try value.decodeString(key)
            case "kind": request.input.areFolders = try value.decodeIsFolder(key)
            case "cursor": request.input.cursor = try value.decodeCursor(key)
            default: return false
            }
            if ["parent", "title_prefix", "kind", "cursor", "limit"].contains(key) { ofChildren = key }
            return true
        }
        try present(request.collection, "collection", "nodes")
        if let ofChildren, request.ids != nil { throw .invalid(ofChildren, "absent where ids are given") }
        return .nodes(request)
    }

    static func prepareFilter(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = PrepareInput()
        var hasFilter = false
        try members(root, "filter.prepare") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "filter":
                input.filter = try FilterDecoder.decode(value, field: key, termsMax: Limits.preparedTermsMax)
                hasFilter = true
            default: return false
            }
            return true
        }
        try present(input.collection, "collection", "filter.prepare")
        guard hasFilter else { throw .missing("filter", "filter.prepare") }
        return .prepareFilter(input)
    }

    static func dropFilter(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var handle = ""
        try members(root, "filter.drop") { (key, value) throws(WireError) in
            guard key == "handle" else { return false }
            handle = try value.decodeString(key)
            return true
        }
        try present(handle, "handle", "filter.drop")
        return .dropFilter(handle: handle)
    }
}

extension JSONValue {
    func decodeHandles(_ field: String) throws(WireError) -> [String] {
        try decodeStrings(field, max: Limits.preparedPerRequestMax)
    }

    func decodeIsFolder(_ field: String) throws(WireError) -> Bool {
        switch string {
        case "folder": true
        case "document": false
        default: throw .invalid(field, "\"document\" or \"folder\"")
        }
    }

    func decodeCursor(_ field: String) throws(WireError) -> [UInt8] {
        guard let text = stringBytes, let bytes = CursorText.decode(text) else { throw .invalid(field, "a cursor as an answer gave it") }
        return bytes
    }
}
