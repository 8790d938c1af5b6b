// The directory in files: its pages as a catalog's are, under the number 0 that no collection has.
import Memory
import Storage

/// The stores that the directory consists of, by number (see `CatalogFile`).
enum DirectoryStore {
    static let principalStrings: UInt32 = 1, principalRanges: UInt32 = 2, principals: UInt32 = 3
    static let membershipRanges: UInt32 = 4, membershipNumbers: UInt32 = 5
    static let accessStrings: UInt32 = 6, accessRanges: UInt32 = 7, accessRows: UInt32 = 8
    static let entryRanges: UInt32 = 9, entryNumbers: UInt32 = 10
    static let texts: UInt32 = 11
}

extension Directory: PagedContents {
    func forEachStore<E: Error>(beside earlier: Directory?, _ body: (UInt32, ChangedPages) throws(E) -> Void) throws(E) {
        let (names, oldNames) = (principalNames.stored, earlier?.principalNames.stored)
        try CatalogFile.visit(body, DirectoryStore.principalStrings, names.strings, oldNames?.strings)
        try CatalogFile.visit(body, DirectoryStore.principalRanges, names.ranges, oldNames?.ranges)
        try CatalogFile.visit(body, DirectoryStore.principals, principals, earlier?.principals)
        try CatalogFile.visit(body, DirectoryStore.membershipRanges, memberships.ranges, earlier?.memberships.ranges)
        try CatalogFile.visit(body, DirectoryStore.membershipNumbers, memberships.numbers, earlier?.memberships.numbers)
        let (objects, oldObjects) = (accessNames.stored, earlier?.accessNames.stored)
        try CatalogFile.visit(body, DirectoryStore.accessStrings, objects.strings, oldObjects?.strings)
        try CatalogFile.visit(body, DirectoryStore.accessRanges, objects.ranges, oldObjects?.ranges)
        try CatalogFile.visit(body, DirectoryStore.accessRows, accessRows, earlier?.accessRows)
        try CatalogFile.visit(body, DirectoryStore.entryRanges, entries.ranges, earlier?.entries.ranges)
        try CatalogFile.visit(body, DirectoryStore.entryNumbers, entries.numbers, earlier?.entries.numbers)
        try CatalogFile.visit(body, DirectoryStore.texts, texts, earlier?.texts)
    }
}

extension Directory {
    /// Whether lists were written anew and take fewer pages than they did.
    func hasShrunk(since earlier: Directory) -> Bool {
        memberships.numbers.count < earlier.memberships.numbers.count || entries.numbers.count < earlier.entries.numbers.count
    }
}

/// A directory while its pages come in.
struct StoredDirectory {
    private var principalStrings = ByteArena()
    private var principalRanges = PagedColumn<ByteRange>()
    private var principals = PagedColumn<PrincipalRow>()
    private var membershipRanges = PagedColumn<UInt64>()
    private var membershipNumbers = PagedColumn<UInt32>()
    private var accessStrings = ByteArena()
    private var accessRanges = PagedColumn<ByteRange>()
    private var accessRows = PagedColumn<AccessRow>()
    private var entryRanges = PagedColumn<UInt64>()
    private var entryNumbers = PagedColumn<UInt32>()
    private var texts = ByteArena()

    init() {}

    mutating func restore(from file: ColumnFile) throws(Corruption) {
        try CatalogFile.restore(&principalStrings, DirectoryStore.principalStrings, file)
        try CatalogFile.restore(&principalRanges, DirectoryStore.principalRanges, file)
        try CatalogFile.restore(&principals, DirectoryStore.principals, file)
        try CatalogFile.restore(&membershipRanges, DirectoryStore.membershipRanges, file)
        try CatalogFile.restore(&membershipNumbers, DirectoryStore.membershipNumbers, file)
        try CatalogFile.restore(&accessStrings, DirectoryStore.accessStrings, file)
        try CatalogFile.restore(&accessRanges, DirectoryStore.accessRanges, file)
        try CatalogFile.restore(&accessRows, DirectoryStore.accessRows, file)
        try CatalogFile.restore(&entryRanges, DirectoryStore.entryRanges, file)
        try CatalogFile.restore(&entryNumbers, DirectoryStore.entryNumbers, file)
        try CatalogFile.restore(&texts, DirectoryStore.texts, file)
    }

    /// Refuses what does not fit together.
    func finish() throws(Corruption) -> Directory {
        try Directory(
            principalNames: try InternTable(strings: principalStrings, ranges: principalRanges), principals: principals,
            memberships: try PagedLists(ranges: membershipRanges, numbers: membershipNumbers),
            accessNames: try InternTable(strings: accessStrings, ranges: accessRanges), accessRows: accessRows,
            entries: try PagedLists(ranges: entryRanges, numbers: entryNumbers), texts: texts)
    }
}
