// A filter as a collection's columns answer it: names and values looked up once, tests that read pages.
import Memory

/// A filter bound to a schema. What it knows of texts and of the tree is brought up to a state by `prepare`; then it says, page by page
/// of 1,024 nodes, which of them match.
struct FilterProgram: Sendable {
    indirect enum Part: Sendable {
        case all([Part])
        case any([Part])
        case not(Part)
        case test(Test)
    }

    /// What is asked of a node. Fields by their place in the schema; texts and nodes by their place in the program.
    enum Test: Sendable {
        /// A document that is there.
        case isDocument
        /// A node that is there.
        case isThere
        case hasField(Int)
        case keyword(field: Int, texts: Int)
        /// One of a list's.
        case anyKeyword(field: Int, texts: Int)
        case number(field: Int, NumberTest)
        case time(NumberTest)
        case hasTime
        case id(texts: Int)
        case title(TextTest), hasTitle
        case mime(TextTest), hasMime
        case folder(Bool)
        case parent(nodes: Int)
        case under(nodes: Int)
        case always(Bool)
    }

    let root: Part
    /// The columns that tests read: fields by their places, and whether rows are among them besides for whether a document is there.
    private(set) var fields: [Int]
    private(set) var texts: [FieldTexts]
    /// Nodes that are named, and for each list of them what it comes to.
    private(set) var places: [NamedNodes]

    /// Texts of a field, or ids where `field` is nil.
    struct FieldTexts: Sendable {
        let field: Int?
        var matches: TextMatches
    }

    /// - Parameter withFolders: whether folders may match too.
    init(_ filter: Filter?, under: [String]? = nil, schema: CollectionSchema, withFolders: Bool = false) throws(EngineError) {
        var binding = FilterBinding(schema)
        var parts: [Part] = [.test(withFolders ? .isThere : .isDocument)]
        if let filter { parts.append(try binding.bind(filter)) }
        if let under { parts.append(.test(.under(nodes: binding.place(of: under, isSubtree: true)))) }
        root = .all(parts)
        (fields, texts, places) = (binding.readFields.sorted(), binding.texts, binding.places)
    }

    /// Memory held, in bytes, about.
    var byteCount: Int { texts.reduce(256) { $0 + $1.matches.byteCount } + places.reduce(0) { $0 + $1.byteCount } }

    // MARK: A state

    /// What has changed besides columns.
    enum Change {
        case nothing
        case pages([Int])
        case everything
    }

    /// Brings what is known of texts and of the tree up to a state; texts that are new are in pages that are, too.
    ///
    /// - Parameter find: the number of a node that may be named.
    mutating func prepare(for state: CollectionState, find: (String) -> Int?) -> Change {
        for place in texts.indices {
            texts[place].matches.extend(to: texts[place].field.map { state.fields[$0].keywords } ?? state.documents.ids)
        }
        var pages: Set<Int> = []
        for place in places.indices {
            switch places[place].prepare(for: state, find: find) {
            case .nothing: break
            case .pages(let changed): pages.formUnion(changed)
            case .everything: return everything(after: place, state, find)
            }
        }
        return pages.isEmpty ? .nothing : .pages(pages.sorted())
    }

    private mutating func everything(after place: Int, _ state: CollectionState, _ find: (String) -> Int?) -> Change {
        for later in places.indices where later > place { _ = places[later].prepare(for: state, find: find) }
        return .everything
    }

    // MARK: Pages

    /// The nodes of a page that match.
    func matches(onPage number: Int, of state: CollectionState) -> PageBits { matches(root, number, state) }

    private func matches(_ part: Part, _ number: Int, _ state: CollectionState) -> PageBits {
        switch part {
        case .all(let parts):
            var result = PageBits.all
            for part in parts {
                result.formIntersection(matches(part, number, state))
                if result.isEmpty { break }
            }
            return result
        case .any(let parts):
            var result = PageBits.none
            for part in parts { result.formUnion(matches(part, number, state)) }
            return result
        case .not(let part): return matches(part, number, state).inverted
        case .test(let test): return matches(test, number, state)
        }
    }

    private func matches(_ test: Test, _ number: Int, _ state: CollectionState) -> PageBits {
        switch test {
        case .isDocument:
            let (rows, versions) = (state.documents.rows.page(number), state.documents.versions.page(number))
            return PageBits(count: versions.count) { versions[$0] != 0 && rows[$0].isFolder == 0 }
        case .isThere:
            let versions = state.documents.versions.page(number)
            return PageBits(count: versions.count) { versions[$0] != 0 }
        case .hasField(let field): return state.fields[field].matches(onPage: number) { _ in true }
        case .keyword(let field, let texts):
            let matches = self.texts[texts].matches
            return state.fields[field].matches(onPage: number) { matches.contains(UInt32(truncatingIfNeeded: $0)) }
        case .anyKeyword(let field, let texts):
            let (matches, column) = (self.texts[texts].matches, state.fields[field])
            return column.matches(onPage: number) { packed in column.list(packed).contains { matches.contains(column.lists[$0]) } }
        case .number(let field, let test): return test.matches(state.fields[field], onPage: number)
        case .id(let texts):
            let matches = self.texts[texts].matches
            return PageBits { matches.word(number * PageBits.wordCount + $0) }
        case .under(let nodes): return PageBits { places[nodes].word(number * PageBits.wordCount + $0) }
        case .always(let holds): return holds ? .all : .none
        default: return rowMatches(test, number, state.documents)
        }
    }

    /// What is told by a node's row.
    private func rowMatches(_ test: Test, _ number: Int, _ documents: DocumentTable) -> PageBits {
        let rows = documents.rows.page(number)
        switch test {
        case .hasTime: return PageBits(count: rows.count) { rows[$0].has(DocumentRow.Present.time) }
        case .time(let test): return PageBits(count: rows.count) { rows[$0].has(DocumentRow.Present.time) && test.holds(integer: rows[$0].time) }
        case .hasTitle: return PageBits(count: rows.count) { rows[$0].has(DocumentRow.Present.title) }
        case .title(let test):
            return PageBits(count: rows.count) { rows[$0].has(DocumentRow.Present.title) && test.holds(documents.texts.bytes(rows[$0].title)) }
        case .hasMime: return PageBits(count: rows.count) { rows[$0].has(DocumentRow.Present.mime) }
        case .mime(let test):
            return PageBits(count: rows.count) { rows[$0].has(DocumentRow.Present.mime) && test.holds(documents.texts.bytes(rows[$0].mime)) }
        case .folder(let wanted): return PageBits(count: rows.count) { (rows[$0].isFolder != 0) == wanted }
        case .parent(let nodes): return PageBits(count: rows.count) { rows[$0].parent.map(places[nodes].contains) ?? false }
        default: preconditionFailure("other tests read other columns")
        }
    }
}

/// One bit for each node of a page.
struct PageBits: Sendable {
    static let nodeCount = 1024
    static let wordCount = 16
    private var words: [16 of UInt64]

    static var none: PageBits { PageBits { _ in 0 } }
    static var all: PageBits { PageBits { _ in ~0 } }

    @inline(__always)
    init(_ word: (Int) -> UInt64) { words = InlineArray { word($0) } }

    /// The first `count` nodes, each asked about.
    @inline(__always)
    init(count: Int, _ isMember: (Int) -> Bool) {
        self.init { index in
            var word: UInt64 = 0
            let first = index * 64
            for bit in 0..<max(0, min(64, count - first)) where isMember(first + bit) { word |= 1 << UInt64(bit) }
            return word
        }
    }

    subscript(word index: Int) -> UInt64 { words[index] }

    mutating func formIntersection(_ other: PageBits) { for index in words.indices { words[index] &= other.words[index] } }
    mutating func formUnion(_ other: PageBits) { for index in words.indices { words[index] |= other.words[index] } }
    var inverted: PageBits { PageBits { ~words[$0] } }
    var isEmpty: Bool {
        for index in words.indices where words[index] != 0 { return false }
        return true
    }
}

extension FieldColumn {
    /// The nodes of a page that have a value for which the test on its packed form holds. Page by page: to find an element's page takes
    /// longer than to look at the element.
    @inline(__always)
    func matches(onPage number: Int, _ isMatch: (UInt64) -> Bool) -> PageBits {
        let (page, present) = (values.page(number), present.page(number))
        return PageBits(count: page.count) { present[$0] != 0 && isMatch(page[$0]) }
    }
}

/// What is asked of a number: `int`, `time`, `float` or `bool`.
enum NumberTest: Sendable {
    /// Equality of numbers is equality of their packed form, but for the two zeros of a float.
    case only(UInt64)
    case anyOf(Set<UInt64>)
    case anyFloat(Set<UInt64>)
    case integers(Interval<Int64>)
    case floats(Interval<Double>)

    func matches(_ column: FieldColumn, onPage number: Int) -> PageBits {
        switch self {
        case .only(let wanted): column.matches(onPage: number) { $0 == wanted }
        case .anyOf(let wanted): column.matches(onPage: number) { wanted.contains($0) }
        case .anyFloat(let wanted): column.matches(onPage: number) { wanted.contains($0 == (-0.0 as Double).bitPattern ? 0 : $0) }
        case .integers(let interval): column.matches(onPage: number) { interval.contains(Int64(bitPattern: $0)) }
        case .floats(let interval): column.matches(onPage: number) { interval.contains(Double(bitPattern: $0)) }
        }
    }

    func holds(integer: Int64) -> Bool {
        switch self {
        case .only(let wanted): integer == Int64(bitPattern: wanted)
        case .anyOf(let wanted): wanted.contains(UInt64(bitPattern: integer))
        case .integers(let interval): interval.contains(integer)
        case .anyFloat, .floats: preconditionFailure("a time is an integer")
        }
    }
}

/// A range with either end open, closed or absent.
struct Interval<T: Comparable & Sendable>: Sendable {
    private let lower: (value: T, isInclusive: Bool)?
    private let upper: (value: T, isInclusive: Bool)?

    init(_ lower: Filter.Bound?, _ upper: Filter.Bound?, convert: (InputValue) throws(EngineError) -> T) throws(EngineError) {
        self.lower = if let lower { (try convert(lower.value), lower.isInclusive) } else { nil }
        self.upper = if let upper { (try convert(upper.value), upper.isInclusive) } else { nil }
    }

    func contains(_ value: T) -> Bool {
        if let lower, lower.isInclusive ? value < lower.value : value <= lower.value { return false }
        if let upper, upper.isInclusive ? value > upper.value : value >= upper.value { return false }
        return true
    }
}
