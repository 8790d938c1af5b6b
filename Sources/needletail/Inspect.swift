// needletail inspect: what is in a directory, file by file.
import ArgumentParser
import Engine
import Index
import Storage
import Wire

struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a database's directory consists of.",
        discussion: "Changes nothing, and works while a daemon uses the directory. Collections are told as of the last checkpoint; the log goes on from there.")

    @Argument(help: "The database's directory.")
    var directory: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        guard let inspection = try Database.inspect(try FileSystemDisk(reading: directory)) else {
            throw CommandFailure(description: "there is no database in \(directory)")
        }
        if json { print(inspection.json) } else { inspection.show() }
    }
}

extension DatabaseInspection {
    fileprivate func show() {
        print("database   \(databaseID.hexadecimal)")
        print("manifest   \(manifest), \(edits.counted("edit")), \(manifestBytes.grouped) bytes, next file \(nextFileNumber)")
        print("in files   up to sequence \(coveredSequence)")
        for file in logFiles { print("log        \(file.name)  \(file.recordsShown), \(file.byteCount.grouped) bytes") }
        for name in unnamed { print("unnamed    \(name)") }
        for collection in collections { collection.show() }
        for snapshot in snapshots {
            print("")
            print("snapshot \(snapshot.name): sequence \(snapshot.sequence), \(snapshot.created), \(snapshot.fileCount.counted("file")), \(snapshot.byteCount.grouped) bytes")
        }
    }

    fileprivate var json: String {
        var line = JSONWriter()
        line.beginObject()
        line.member("database", databaseID.hexadecimal)
        line.member("manifest", manifest)
        line.member("edits", edits)
        line.member("manifest_bytes", manifestBytes)
        line.member("next_file", nextFileNumber)
        line.member("covered_seq", coveredSequence)
        line.objects("log", logFiles) { (line, file) in
            line.member("name", file.name)
            line.member("bytes", file.byteCount)
            if let records = file.records {
                line.member("first_seq", records.lowerBound)
                line.member("records", records.count)
            }
        }
        line.objects("collections", collections) { (line, collection) in collection.write(to: &line) }
        line.objects("snapshots", snapshots) { (line, snapshot) in
            line.member("name", snapshot.name)
            line.member("seq", snapshot.sequence)
            line.member("created", snapshot.created)
            line.member("files", snapshot.fileCount)
            line.member("bytes", snapshot.byteCount)
        }
        line.key("unnamed")
        line.beginArray()
        for name in unnamed { line.string(name) }
        line.endArray()
        line.endObject()
        return line.text
    }
}

extension DatabaseInspection.LogFile {
    fileprivate var recordsShown: String {
        guard let records else { return "header DAMAGED" }
        return records.isEmpty ? "no records, the next is \(records.lowerBound)" : "records \(records.lowerBound) to \(records.upperBound - 1)"
    }
}

extension DatabaseInspection.Collection {
    fileprivate func show() {
        print("")
        let counts = documents.map { "\($0.counted("document")), \((folders ?? 0).counted("folder"))" } ?? "catalog DAMAGED"
        print("collection \(schema.name) (number \(number)): \(counts)")
        print("  spaces: \(schema.spaces.isEmpty ? "none" : schema.spaces.map(\.shown).joined(separator: ", "))")
        print("  fields: \(schema.fields.isEmpty ? "none" : schema.fields.map { "\($0.name) \($0.type.rawValue)" }.joined(separator: ", "))")
        for file in files { file.show() }
    }

    fileprivate func write(to line: inout JSONWriter) {
        line.member("name", schema.name)
        line.member("number", Int(number))
        if let documents, let folders {
            line.member("documents", documents)
            line.member("folders", folders)
        }
        line.objects("spaces", schema.spaces) { (line, space) in
            line.member("name", space.name)
            line.member("dim", space.dimension)
            line.member("metric", space.metric.name)
            line.member("index", space.index.rawValue)
            line.member("quantization", space.quantization.rawValue)
        }
        line.objects("fields", schema.fields) { (line, field) in
            line.member("name", field.name)
            line.member("type", field.type.rawValue)
        }
        line.objects("files", files) { (line, file) in file.write(to: &line) }
    }
}

extension SpaceSchema {
    fileprivate var shown: String {
        let choices = [index.rawValue, quantization.rawValue].filter { $0 != "auto" }.map { " " + $0 }.joined()
        return "\(name) \(dimension) \(metric.name)\(choices)"
    }
}

extension DatabaseInspection.File {
    fileprivate func show() {
        let rows = chunks.isEmpty ? "" : ", \(rows.counted("row")) of chunks \(chunks.lowerBound) to \(chunks.upperBound - 1)"
        let indexed = indexed.map { ", index of space \($0.space) of \($0.segment)" } ?? ""
        print("  \(name): \(byteCount.grouped) bytes\(rows)\(indexed)")
        if let damage { print("    DAMAGED: \(damage)") }
        guard !columns.isEmpty else { return }
        var table = Table(["    column", "count", "stored", "raw"], alignsRight: [1, 2, 3])
        for column in columns { table.add(["    " + column.name, column.count.grouped, column.storedBytes.grouped, column.rawBytes.grouped]) }
        table.show()
    }

    fileprivate func write(to line: inout JSONWriter) {
        line.member("name", name)
        line.member("bytes", byteCount)
        if !chunks.isEmpty {
            line.member("rows", rows)
            line.member("first_chunk", chunks.lowerBound)
            line.member("end_chunk", chunks.upperBound)
        }
        if let indexed {
            line.member("segment", indexed.segment)
            line.member("space", indexed.space)
        }
        if let damage { line.member("damage", damage) }
        line.objects("columns", columns) { (line, column) in
            line.member("name", column.name)
            line.member("count", column.count)
            line.member("stored", column.storedBytes)
            line.member("raw", column.rawBytes)
        }
    }
}

extension UInt64 {
    fileprivate var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
