// Documents without a question: in an order, page by page.
import Memory

/// What is to be listed, and from where on.
package struct ListInput: Sendable {
    package var filter: Filter?
    package var under: [String]?
    package var prepared: [PreparedFilter] = []
    /// `time`, `title`, `id` or a declared field with an order; nil for the newest first.
    package var orderBy: String?
    package var isDescending: Bool?
    /// As the page before gave it.
    package var cursor: [UInt8]?
    package var limit = 100

    package init() {}
}

/// A page of documents.
package struct DocumentPage: Sendable {
    fileprivate let numbers: [Int]
    /// Where the next page begins; nil where there is none.
    package let cursor: [UInt8]?
}

extension CollectionSnapshot {
    /// The documents that match, ordered by a value; those without one come last, equal ones in the order of their first arrival (or
    /// against it, where the order is descending). Pages follow each other without gap or repetition whatever is written meanwhile, as far
    /// as documents keep their values. O(documents that match + page x log page).
    package func list(_ input: ListInput, seal: CursorSeal) throws(EngineError) -> DocumentPage {
        guard (1...Limits.listMax).contains(input.limit) else {
            throw EngineError(.invalidValue, "limit must be 1 to \(Limits.listMax), got \(input.limit)", field: "limit")
        }
        let order = try ListOrder(input, self)
        let question = question(input, order)
        let start = try input.cursor.map { sealed throws(EngineError) in
            try order.start(of: Cursor(sealed, seal, question: question, view: viewDigest))
        }
        var page = BoundedSelection<ListPlace>(limit: input.limit + 1) { order.comesBefore($0, $1) }
        let documents = try documents(filter: input.filter, under: input.under, prepared: input.prepared) ?? state.liveDocuments()
        // Who arrived later is mostly newer, and mostly the page is full of the first it meets.
        documents.forEach(reversed: order.isDescending) { number in
            let place = order.place(of: number)
            if let start, !order.comesBefore(start, place) { return }
            page.offer(place)
        }
        let places = page.sorted()
        let last = places.count > input.limit ? places[input.limit - 1] : nil
        return DocumentPage(numbers: places.prefix(input.limit).map(\.number), cursor: last.map { last in
            Cursor(question: question, view: viewDigest, value: order.encode(last), id: Cursor.copy(state.documents.ids.bytes(UInt32(last.number)))).sealed(with: seal)
        })
    }

    /// The documents of a page.
    package func nodes(of page: DocumentPage) -> [NodeView] { page.numbers.map { NodeView(collection: self, number: $0) } }

    /// What a list is a list of; the same after a restart.
    private func question(_ input: ListInput, _ order: ListOrder) -> UInt64 {
        var writer = ByteWriter()
        writer.writeString("list")
        writer.write(state.number)
        writer.writeString(order.name)
        writer.write(UInt8(order.isDescending ? 1 : 0))
        writer.write(VisibilityKey(filter: input.filter, under: input.under, prepared: input.prepared.map(\.handle)).digest)
        return ContentDigest(of: writer.bytes).high
    }
}

/// Where a document stands in an order: the value, or its first eight bytes, such that the order of these is the values'; nil for none.
struct ListPlace: BitwiseCopyable {
    var value: UInt64?
    var number: Int
}

/// Where a page ended.
struct ListStart {
    var place: ListPlace
    /// The whole value, where it is a text: the document may have another by now.
    var text: [UInt8]
}

/// An order of documents, by one of their values.
struct ListOrder {
    private enum Column {
        case field(FieldColumn)
        case time, title, id
    }

    let name: String
    let isDescending: Bool
    private let column: Column
    private let isText: Bool
    private let documents: DocumentTable

    init(_ input: ListInput, _ collection: CollectionSnapshot) throws(EngineError) {
        name = input.orderBy ?? "time"
        isDescending = input.isDescending ?? (input.orderBy == nil)
        documents = collection.state.documents
        switch name {
        case "time": (column, isText) = (.time, false)
        case "title": (column, isText) = (.title, true)
        case "id": (column, isText) = (.id, true)
        default:
            guard let index = collection.schema.fieldIndex(name) else { throw UpsertEncoder.undeclared(name, collection.schema, field: "order_by") }
            guard collection.schema.fields[index].type != .keywords else {
                throw EngineError(.invalidValue, "a keyword[] field has no order: a document has several of its values", field: "order_by")
            }
            (column, isText) = (.field(collection.state.fields[index]), collection.schema.fields[index].type == .keyword)
        }
    }

    // MARK: Places

    func place(of number: Int) -> ListPlace { ListPlace(value: value(of: number), number: number) }

    private func value(of number: Int) -> UInt64? {
        switch column {
        case .time:
            let row = documents.rows[number]
            return row.has(DocumentRow.Present.time) ? Self.ordered(row.time) : nil
        case .title: return documents.rows[number].has(DocumentRow.Present.title) ? text(of: number).firstBytes : nil
        case .id: return text(of: number).firstBytes
        case .field(let column):
            guard column.present[number] != 0 else { return nil }
            let packed = column.values[number]
            switch column.schema.type {
            case .int, .time: return Self.ordered(Int64(bitPattern: packed))
            case .float: return Self.ordered(Double(bitPattern: packed))
            case .bool: return packed
            case .keyword: return text(of: number).firstBytes
            case .keywords: preconditionFailure("lists have no order")
            }
        }
    }

    /// The text of a document that has a value in an order of texts.
    @_lifetime(borrow self)
    private func text(of number: Int) -> RawSpan {
        switch column {
        case .title: return documents.texts.bytes(documents.rows[number].title)
        // Sound: self holds the column, which holds the bytes.
        case .field(let column): return unsafe _overrideLifetime(column.keywords.bytes(UInt32(column.values[number])), borrowing: self)
        case .id, .time: return documents.ids.bytes(UInt32(number))
        }
    }

    private static func ordered(_ number: Int64) -> UInt64 { UInt64(bitPattern: number) ^ 1 << 63 }

    /// The two zeros are one.
    private static func ordered(_ number: Double) -> UInt64 {
        let bits = (number == 0 ? 0 : number).bitPattern
        return bits >> 63 == 0 ? bits ^ 1 << 63 : ~bits
    }

    func comesBefore(_ one: ListPlace, _ other: ListPlace) -> Bool {
        comesBefore(one, other) { text(of: one.number).order(to: text(of: other.number)) }
    }

    func comesBefore(_ start: ListStart, _ other: ListPlace) -> Bool {
        // Sound: bytes have no invalid pattern.
        comesBefore(start.place, other) { unsafe start.text.span.bytes.order(to: text(of: other.number)) }
    }

    @inline(__always)
    private func comesBefore(_ one: ListPlace, _ other: ListPlace, compareTexts: () -> Int) -> Bool {
        guard let first = one.value, let second = other.value else {
            // Without a value: last, whichever way the order goes.
            if (one.value == nil) != (other.value == nil) { return one.value != nil }
            return isDescending ? one.number > other.number : one.number < other.number
        }
        if first != second { return isDescending ? first > second : first < second }
        let order = isText ? compareTexts() : 0
        if order != 0 { return isDescending ? order > 0 : order < 0 }
        return isDescending ? one.number > other.number : one.number < other.number
    }

    // MARK: Cursors

    /// A place's value for a cursor: nothing where there is none, a number's eight bytes, or a text behind a byte.
    func encode(_ place: ListPlace) -> [UInt8] {
        guard let value = place.value else { return [] }
        var writer = ByteWriter()
        writer.write(UInt8(isText ? 1 : 0))
        if isText { writer.write(text(of: place.number)) } else { writer.write(value) }
        return writer.finish()
    }

    /// The place where a page ended. Its document may have changed since, or be gone: its value then and its arrival hold.
    func start(of cursor: Cursor) throws(EngineError) -> ListStart {
        // Sound: bytes have no invalid pattern.
        guard let number = documents.ids.find(unsafe cursor.id.span.bytes) else { throw .ended("names a document that is not known here") }
        guard let kind = cursor.value.first else { return ListStart(place: ListPlace(value: nil, number: Int(number)), text: []) }
        let text = Array(cursor.value.dropFirst())
        guard kind == 0 else { return ListStart(place: ListPlace(value: unsafe text.span.bytes.firstBytes, number: Int(number)), text: text) }
        var reader = ByteReader(unsafe text.span.bytes)
        do { return ListStart(place: ListPlace(value: try reader.read(UInt64.self), number: Int(number)), text: []) } catch { throw .ended("holds no number") }
    }
}

extension RawSpan {
    /// The first eight bytes as a number, in whose order the bytes are; zeros where there are fewer.
    fileprivate var firstBytes: UInt64 {
        var value: UInt64 = 0
        for offset in 0..<8 { value = value << 8 | (offset < byteCount ? UInt64(byte(at: offset)) : 0) }
        return value
    }
}
