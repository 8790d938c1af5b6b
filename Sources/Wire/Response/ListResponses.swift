// Answers of lists: documents in an order, counts by value, the tree, and prepared filters.
package import Engine

extension ResponseWriter {
    /// A page of documents, each as `get` shows it.
    package mutating func list(
        _ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, _ page: DocumentPage, with: Parts
    ) throws(WireError) {
        begin(id, sequence: sequence)
        var reader = ChunkReader()
        json.key("documents")
        json.beginArray()
        for node in collection.nodes(of: page) {
            try self.node(node, collection, with: with, &reader)
            try checkSize()
        }
        json.endArray()
        cursor(page.cursor)
        end()
    }

    package mutating func facet(_ id: RequestID, sequence: UInt64, _ counts: FacetCounts) throws(WireError) {
        begin(id, sequence: sequence)
        json.key("values")
        json.beginArray()
        for (value, count) in counts.values {
            json.beginObject()
            json.key("value")
            json.value(value)
            json.key("count")
            json.int(count)
            json.endObject()
        }
        json.endArray()
        try checkSize()
        json.key("distinct")
        json.int(counts.distinct)
        json.key("documents")
        json.int(counts.documents)
        json.key("without")
        json.int(counts.without)
        end()
    }

    /// A page of what lies under a node, and how many do.
    package mutating func tree(_ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, _ page: TreePage, with: Parts) throws(WireError) {
        begin(id, sequence: sequence)
        json.key("nodes")
        json.beginArray()
        for node in collection.nodes(of: page) { try treeNode(node, with: with) }
        json.endArray()
        json.key("total")
        json.int(page.total)
        cursor(page.cursor)
        end()
    }

    /// Nodes of the tree in the order asked for; those that are not there are named in `missing`.
    package mutating func tree(_ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, ids: [String], with: Parts) throws(WireError) {
        begin(id, sequence: sequence)
        var missing: [String] = []
        json.key("nodes")
        json.beginArray()
        for nodeID in ids {
            guard let node = collection.node(nodeID) else {
                missing.append(nodeID)
                receipt.tellRefused(nodeID)
                continue
            }
            try treeNode(node, with: with)
        }
        json.endArray()
        json.key("missing")
        json.beginArray()
        for nodeID in missing { json.string(nodeID) }
        json.endArray()
        end()
    }

    private mutating func treeNode(_ node: NodeView, with: Parts) throws(WireError) {
        json.beginObject()
        json.key("id")
        json.string(node.id)
        receipt.tell(node.id, ordinal: nil, grade: node.grade)
        json.key("kind")
        json.string(node.isFolder ? "folder" : "document")
        if node.tellsGrade { grade(node.grade) }
        attributes(of: node, with: with)
        json.key("child_count")
        json.int(node.childCount)
        if with.contains(.path) { path(of: node) }
        json.endObject()
        try checkSize()
    }

    private mutating func path(of node: NodeView) {
        json.key("path")
        json.beginArray()
        for above in node.path {
            json.beginObject()
            json.key("id")
            json.string(above.id)
            receipt.tell(above.id, ordinal: nil, grade: above.grade)
            if let title = above.title {
                json.key("title")
                json.string(title)
            }
            json.endObject()
        }
        json.endArray()
    }

    package mutating func prepared(_ id: RequestID, sequence: UInt64, handle: String) {
        begin(id, sequence: sequence)
        json.key("handle")
        json.string(handle)
        end()
    }

    /// Where the next page begins; null behind the last.
    private mutating func cursor(_ cursor: [UInt8]?) {
        json.key("cursor")
        if let cursor { json.string(CursorText.encode(cursor)) } else { json.null() }
    }
}
