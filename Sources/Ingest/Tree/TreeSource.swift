// A folder of Markdown, text and chat exports as documents: folders, files, days.
import Engine
import Memory
import Wire

/// Walks a tree once. Folders come before what is in them, names in the order of their bytes, so runs repeat.
///
/// | in the tree | document |
/// |---|---|
/// | the root | folder with id `/`, no parent |
/// | a folder | folder; id is its path, parent the folder it lies in |
/// | `.md`, `.markdown` | chunks by headings; time is `effective` or `date` of its front matter, else when it was changed |
/// | `.txt` | chunks by paragraphs |
/// | `<channel>/<yyyy-mm-dd>.json` | a day of chat: chunks are windows of messages |
/// | `users.json` | none; names the people of the channels beside and below it |
/// | anything else | none; reported as skipped |
package struct TreeSource: DocumentSource, ~Copyable {
    private let options: TreeOptions
    private let rootTitle: String
    private var walk: TreeWalk
    private var parser: JSONParser
    /// The people known in the folder being walked: the nearest list up the tree.
    private var people: [(folder: String, names: ChatNames)] = []
    /// Made already, the next one first.
    private var ready: ArraySlice<SourceItem> = []
    private var bytesRead = 0
    private let bytesTotal: Int

    package init(path: String, options: TreeOptions) throws(IngestError) {
        let pathBytesMax = Limits.idBytesMax - options.idPrefix.utf8.count
        guard pathBytesMax > 0, !options.idPrefix.utf8.contains(0) else {
            throw IngestError(file: path, "expected a prefix for ids that leaves room for a path, found \"\(options.idPrefix)\"")
        }
        let walk = try TreeWalk(root: path, pathBytesMax: pathBytesMax)
        let title = lastComponent(try Directory.resolved(path))
        self.init(walk, options, title: title, bytesTotal: try Self.countBytes(walk))
    }

    private init(_ walk: TreeWalk, _ options: TreeOptions, title: String, bytesTotal: Int) {
        self.walk = walk
        self.options = options
        self.bytesTotal = bytesTotal
        rootTitle = title
        parser = JSONParser(bytesMax: Limits.chatFileBytesMax, depthMax: Limits.chatDepthMax)
    }

    package var progress: SourceProgress { SourceProgress(bytesRead: bytesRead, bytesTotal: bytesTotal) }

    package mutating func next() throws(IngestError) -> SourceItem? {
        while ready.isEmpty {
            guard let entry = try walk.next() else { return nil }
            ready = items(for: entry)[...]
        }
        return ready.removeFirst()
    }

    /// What there is to read, so that the time left can be told. Costs a second look at every name, not at any content.
    private static func countBytes(_ walk: TreeWalk) throws(IngestError) -> Int {
        var walk = walk
        var bytes = 0
        while let entry = try walk.next() {
            if case .file(let path, let status) = entry, TreeFileKind(path) != .other { bytes += status.byteCount }
        }
        return bytes
    }

    private mutating func items(for entry: TreeEntry) -> [SourceItem] {
        switch entry {
        case .leftOut(let path, let reason): return [Self.left(path, .skipped, reason)]
        case .folder(let path, let names):
            let folder = SourceItem.document(folderDocument(path), Self.position(path))
            return [folder] + meetPeople(in: path, names)
        case .file(let path, let status):
            do {
                return try read(path, status)
            } catch {
                return [Self.left(path, .invalid, error.reason)]
            }
        }
    }

    private mutating func read(_ path: String, _ status: FileStatus) throws(RowError) -> [SourceItem] {
        let kind = TreeFileKind(path)
        if kind != .other { bytesRead += status.byteCount }
        switch kind {
        case .markdown: return [.document(try markdownDocument(path, status), Self.position(path))]
        case .text: return [.document(try textDocument(path, status), Self.position(path))]
        case .chatDay(let date): return try chatItems(path, date)
        // Read when its folder was entered, before the channels that need it.
        case .chatPeople: return []
        case .other: return [Self.left(path, .skipped, "neither Markdown (.md, .markdown) nor text (.txt) nor a day of chat (yyyy-mm-dd.json)")]
        }
    }

    private static func position(_ path: String) -> SourcePosition { SourcePosition(file: path, row: 0, offset: 0) }

    private static func left(_ path: String, _ kind: Rejection.Kind, _ reason: String) -> SourceItem {
        .rejected(Rejection(kind, at: position(path), reason: reason))
    }
}

// MARK: Documents

extension TreeSource {
    private func id(_ path: String) -> String { options.idPrefix + (path.isEmpty ? "/" : path) }

    private func folderDocument(_ path: String) -> OutgoingDocument {
        var document = OutgoingDocument(id: id(path))
        document.isFolder = true
        document.title = path.isEmpty ? rootTitle : lastComponent(path)
        if !path.isEmpty { document.parent = id(folder(of: path)) }
        return document
    }

    private func fileDocument(_ path: String, title: String, mime: String) -> OutgoingDocument {
        var document = OutgoingDocument(id: id(path))
        document.parent = id(folder(of: path))
        document.title = title
        document.mime = mime
        return document
    }

    private func markdownDocument(_ path: String, _ status: FileStatus) throws(RowError) -> OutgoingDocument {
        let text = try readText(path)
        let markdown = MarkdownChunker(bounds: options.bounds, countTokens: options.countTokens).split(text, name: stem(path))
        var document = fileDocument(path, title: markdown.title, mime: "text/markdown")
        document.time = try time(markdown.frontMatter) ?? SourceTime.text(milliseconds: status.modifiedSeconds * 1000)
        document.fields = try fields(markdown.frontMatter)
        document.chunks = markdown.chunks
        return document
    }

    private func textDocument(_ path: String, _ status: FileStatus) throws(RowError) -> OutgoingDocument {
        let text = try readText(path)
        var document = fileDocument(path, title: stem(path), mime: "text/plain")
        document.time = SourceTime.text(milliseconds: status.modifiedSeconds * 1000)
        document.chunks = PlainTextChunker(bounds: options.bounds, countTokens: options.countTokens).split(text, title: stem(path))
        return document
    }

    /// When the document came into force, or when it was written.
    private func time(_ frontMatter: FrontMatter) throws(RowError) -> String? {
        for key in ["effective", "date"] {
            if case .scalar(let text) = try frontMatter.value(for: key), let time = SourceTime.written(text) { return time }
        }
        return nil
    }

    private func fields(_ frontMatter: FrontMatter) throws(RowError) -> [OutgoingField] {
        var fields: [OutgoingField] = []
        for entry in frontMatter.entries {
            guard let kind = options.fields[entry.key], let written = try frontMatter.value(for: entry.key) else { continue }
            do {
                fields.append(OutgoingField(entry.key, try kind.value(written)))
            } catch {
                throw RowError("the front matter's \"\(entry.key)\": \(error.reason)")
            }
        }
        return fields
    }

    private func readText(_ path: String) throws(RowError) -> String {
        let bytes = try readFile(path, bytesMax: Limits.textFileBytesMax)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RowError("expected UTF-8 text, found other bytes; convert it from the encoding it is in")
        }
        return text
    }

    private func readFile(_ path: String, bytesMax: Int) throws(RowError) -> [UInt8] {
        do {
            return try wholeFile(walk.location(path), bytesMax: bytesMax)
        } catch {
            throw RowError(error.problem)
        }
    }
}

// MARK: Chat

extension TreeSource {
    /// Learns the names of people on the way into a folder that lists them, and forgets those of folders left behind.
    private mutating func meetPeople(in path: String, _ names: Set<String>) -> [SourceItem] {
        people.removeAll { !Self.isInside(path, $0.folder) }
        guard names.contains(TreeFileKind.chatPeopleName) else { return [] }
        let file = path.isEmpty ? TreeFileKind.chatPeopleName : path + "/" + TreeFileKind.chatPeopleName
        do {
            people.append((path, try readPeople(file)))
            return []
        } catch {
            return [Self.left(file, .invalid, error.reason)]
        }
    }

    private static func isInside(_ path: String, _ folder: String) -> Bool { folder.isEmpty || path.hasPrefix(folder + "/") }

    private mutating func readPeople(_ path: String) throws(RowError) -> ChatNames {
        let bytes = try readFile(path, bytesMax: Limits.chatFileBytesMax)
        // Sound: bytes have no invalid pattern.
        return try ChatNames(try parser.parseRow(unsafe bytes.span.bytes))
    }

    private mutating func chatItems(_ path: String, _ date: String) throws(RowError) -> [SourceItem] {
        let bytes = try readFile(path, bytesMax: Limits.chatFileBytesMax)
        let names = people.last { Self.isInside(path, $0.folder) }?.names ?? ChatNames()
        // Sound: bytes have no invalid pattern.
        let day = try ChatDay(try parser.parseRow(unsafe bytes.span.bytes), names: names)
        let faults = day.faults.map { fault in
            let position = SourcePosition(file: path, row: fault.index, offset: 0)
            return SourceItem.rejected(Rejection(.invalid, at: position, reason: fault.reason))
        }
        return [.document(chatDocument(path, date, day), Self.position(path))] + faults
    }

    private func chatDocument(_ path: String, _ date: String, _ day: ChatDay) -> OutgoingDocument {
        let folder = folder(of: path)
        let channel = folder.isEmpty ? rootTitle : lastComponent(folder)
        var document = fileDocument(path, title: "#\(channel) \(date)", mime: "application/json")
        document.time = day.messages.first.map { SourceTime.text(milliseconds: $0.stamp / 1000) } ?? date + "T00:00:00Z"
        document.chunks = ChatChunker(bounds: options.bounds, countTokens: options.countTokens).split(day, heading: "#\(channel) > \(date)")
        return document
    }
}

/// What a file's name says it is.
enum TreeFileKind: Equatable {
    case markdown, text, chatDay(String), chatPeople, other

    static let chatPeopleName = "users.json"

    init(_ path: String) {
        let name = lastComponent(path)
        switch name.lowercased() {
        case let name where name.hasSuffix(".md") || name.hasSuffix(".markdown"): self = .markdown
        case let name where name.hasSuffix(".txt"): self = .text
        case Self.chatPeopleName: self = name == Self.chatPeopleName ? .chatPeople : .other
        case let name where name.hasSuffix(".json") && SourceTime.isDate(name.dropLast(5)): self = .chatDay(String(name.dropLast(5)))
        default: self = .other
        }
    }
}

/// The bytes of a file of a tree, which must be no link and within the limit.
private func wholeFile(_ path: String, bytesMax: Int) throws(IngestError) -> [UInt8] {
    let file = try OpenFile.reading(path, followingLinks: false)
    var wanted = try file.status().byteCount + 1
    var bytes: [UInt8] = []
    // Read until there is no more, whatever the size was: the file may be growing.
    while wanted <= bytesMax + 1 {
        var got = 0
        try bytes.append(addingCapacity: wanted - bytes.count) { (output) throws(IngestError) in got = try file.read(into: &output) }
        if got == 0 { return bytes }
        if bytes.count == wanted { wanted += 1 << 16 }
    }
    throw IngestError(file: path, "has over \(bytesMax) bytes, which is the limit for a file of its kind")
}

private func lastComponent(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

private func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
}

/// The name without its ending.
private func stem(_ path: String) -> String {
    let name = lastComponent(path)
    return name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
}
