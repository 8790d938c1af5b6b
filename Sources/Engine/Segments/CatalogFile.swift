// The catalog of a collection in files: one with every page, and some with the pages that have changed since.
import Memory
import Storage

/// The stores that a catalog consists of, by number. Store n lies in two columns of a catalog file: 2n tells of each page its number
/// and length (u32, u32), 2n + 1 holds the pages one after the other.
enum CatalogStore {
    static let idStrings: UInt32 = 1
    static let idRanges: UInt32 = 2
    static let versions: UInt32 = 3
    static let rows: UInt32 = 4
    static let texts: UInt32 = 5
    /// Shorter than the others, or not there, where no later node has an access object of its own.
    static let access: UInt32 = 6
    /// The five stores of a declared field.
    static func field(_ index: Int) -> UInt32 { 8 + 8 * UInt32(index) }
}

/// What is kept in memory in pages and written down as those that have changed: numbered stores, each of one kind.
protocol PagedContents {
    func forEachStore<E: Error>(beside earlier: Self?, _ body: (UInt32, ChangedPages) throws(E) -> Void) throws(E)
}

/// Writes catalogs, and the directory, down and reads them back.
enum CatalogFile {
    /// Bytes of the pages that `earlier` lacks or has otherwise.
    static func changedBytes<Contents: PagedContents>(of contents: Contents, since earlier: Contents?) -> Int {
        var bytes = 0
        contents.forEachStore(beside: earlier) { _, changed in bytes += changed.byteCount }
        return bytes
    }

    /// Writes those pages; the caller finishes the file.
    static func write<Contents: PagedContents>(_ contents: Contents, since earlier: Contents?, to output: SegmentOutput) throws(EngineError) {
        try contents.forEachStore(beside: earlier) { (store, changed) throws(EngineError) in
            guard changed.count > 0 else { return }
            try output.column(2 * store, elementBytes: 8) { (output) throws(EngineError) in
                for index in 0..<changed.count {
                    try output.append(UInt32(changed.numbers[index]))
                    try output.append(UInt32(changed.pageBytes(index).byteCount))
                }
            }
            try output.column(2 * store + 1, elementBytes: 1) { (output) throws(EngineError) in
                for index in 0..<changed.count { try output.append(changed.pageBytes(index)) }
            }
        }
    }

    /// The catalog that these files hold, oldest first. O(bytes); about 0.2 s for a million documents.
    static func read(_ files: [ColumnFile], schema: CollectionSchema) throws(Corruption) -> Catalog {
        var stored = StoredCatalog(schema: schema)
        try restore(files) { (file) throws(Corruption) in try stored.restore(from: file) }
        do throws(Corruption) { return try stored.finish(schema: schema) } catch { throw error.located(in: files.last?.name ?? "catalog", base: 0) }
    }

    /// The directory that these files hold, oldest first. O(bytes).
    static func readDirectory(_ files: [ColumnFile]) throws(Corruption) -> Directory {
        var stored = StoredDirectory()
        try restore(files) { (file) throws(Corruption) in try stored.restore(from: file) }
        do throws(Corruption) { return try stored.finish() } catch { throw error.located(in: files.last?.name ?? "directory", base: 0) }
    }

    private static func restore(_ files: [ColumnFile], _ body: (ColumnFile) throws(Corruption) -> Void) throws(Corruption) {
        for file in files {
            do throws(Corruption) { try body(file) } catch { throw error.file.isEmpty ? error.located(in: file.name, base: 0) : error }
        }
    }

    static func visit<S: PagedBytes, E: Error>(
        _ body: (UInt32, ChangedPages) throws(E) -> Void, _ number: UInt32, _ now: S, _ before: S?
    ) throws(E) {
        try body(number, ChangedPages(numbers: now.changedPages(since: before), store: now))
    }

    /// Puts a file's pages of a store over those that are there.
    static func restore<S: PagedBytes>(_ store: inout S, _ number: UInt32, _ file: ColumnFile) throws(Corruption) {
        guard let pages = file.column(2 * number) else { return }
        guard pages.elementBytes == 8, let bytes = file.column(2 * number + 1), bytes.elementBytes == 1 else {
            throw Corruption(file: file.name, offset: 0, expected: "pages of store \(number)")
        }
        let places = try pages.elements(0..<pages.count, as: UInt64.self)
        var offset = 0
        for index in places.indices {
            let (page, count) = (Int(places[index] & 0xFFFF_FFFF), Int(places[index] >> 32))
            guard count <= bytes.count - offset else { throw Corruption(file: file.name, offset: 0, expected: "\(count) bytes of page \(page) in store \(number)") }
            try store.restorePage(page, from: try bytes.bytes(offset..<offset + count))
            offset += count
        }
    }
}

/// Pages of one store that have changed, whatever the store's kind.
struct ChangedPages {
    let numbers: [Int]
    let store: any PagedBytes

    var count: Int { numbers.count }
    var byteCount: Int { numbers.reduce(0) { $0 + store.usedBytes(ofPage: $1) } }

    @_lifetime(borrow self)
    func pageBytes(_ index: Int) -> RawSpan {
        // Sound: self holds the store, which holds the page.
        unsafe _overrideLifetime(store.pageBytes(numbers[index]), borrowing: self)
    }
}

extension Catalog: PagedContents {
    func forEachStore<E: Error>(beside earlier: Catalog?, _ body: (UInt32, ChangedPages) throws(E) -> Void) throws(E) {
        let (ids, oldIDs) = (documents.ids.stored, earlier?.documents.ids.stored)
        try CatalogFile.visit(body, CatalogStore.idStrings, ids.strings, oldIDs?.strings)
        try CatalogFile.visit(body, CatalogStore.idRanges, ids.ranges, oldIDs?.ranges)
        try CatalogFile.visit(body, CatalogStore.versions, documents.versions, earlier?.documents.versions)
        try CatalogFile.visit(body, CatalogStore.rows, documents.rows, earlier?.documents.rows)
        try CatalogFile.visit(body, CatalogStore.texts, documents.texts, earlier?.documents.texts)
        try CatalogFile.visit(body, CatalogStore.access, documents.access, earlier?.documents.access)
        for (index, field) in fields.enumerated() {
            let (first, old) = (CatalogStore.field(index), earlier?.fields[index])
            let (keywords, oldKeywords) = (field.keywords.stored, old?.keywords.stored)
            try CatalogFile.visit(body, first, field.values, old?.values)
            try CatalogFile.visit(body, first + 1, field.present, old?.present)
            try CatalogFile.visit(body, first + 2, keywords.strings, oldKeywords?.strings)
            try CatalogFile.visit(body, first + 3, keywords.ranges, oldKeywords?.ranges)
            try CatalogFile.visit(body, first + 4, field.lists, old?.lists)
        }
    }
}

/// A catalog while its pages come in.
private struct StoredCatalog {
    struct Field {
        var values = PagedColumn<UInt64>()
        var present = PagedColumn<UInt8>()
        var keywords = ByteArena()
        var ranges = PagedColumn<ByteRange>()
        var lists = PagedColumn<UInt32>()
    }

    private var idStrings = ByteArena()
    private var idRanges = PagedColumn<ByteRange>()
    private var versions = PagedColumn<UInt32>()
    private var rows = PagedColumn<DocumentRow>()
    private var texts = ByteArena()
    private var access = PagedColumn<UInt32>()
    private var fields: [Field]

    init(schema: CollectionSchema) { fields = schema.fields.map { _ in Field() } }

    mutating func restore(from file: ColumnFile) throws(Corruption) {
        try CatalogFile.restore(&idStrings, CatalogStore.idStrings, file)
        try CatalogFile.restore(&idRanges, CatalogStore.idRanges, file)
        try CatalogFile.restore(&versions, CatalogStore.versions, file)
        try CatalogFile.restore(&rows, CatalogStore.rows, file)
        try CatalogFile.restore(&texts, CatalogStore.texts, file)
        try CatalogFile.restore(&access, CatalogStore.access, file)
        for index in fields.indices {
            let first = CatalogStore.field(index)
            try CatalogFile.restore(&fields[index].values, first, file)
            try CatalogFile.restore(&fields[index].present, first + 1, file)
            try CatalogFile.restore(&fields[index].keywords, first + 2, file)
            try CatalogFile.restore(&fields[index].ranges, first + 3, file)
            try CatalogFile.restore(&fields[index].lists, first + 4, file)
        }
    }

    /// Refuses what does not fit together: everything behind this trusts it.
    func finish(schema: CollectionSchema) throws(Corruption) -> Catalog {
        var catalog = Catalog(schema: schema)
        catalog.documents = try DocumentTable(
            ids: try InternTable(strings: idStrings, ranges: idRanges), versions: versions, rows: rows, texts: texts, access: access)
        for (index, field) in fields.enumerated() {
            catalog.fields[index] = try FieldColumn(
                schema: schema.fields[index], documents: catalog.documents.count, values: field.values, present: field.present,
                keywords: try InternTable(strings: field.keywords, ranges: field.ranges), lists: field.lists)
        }
        return catalog
    }
}
