// needletail snapshot export: a snapshot as one file.
import ArgumentParser
import Client
import Foundation
import Memory
import Storage
import Wire

extension Snapshot {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a snapshot into an archive, which restore makes a database of.",
            discussion: """
                needletail snapshot export monday monday.zst
                needletail snapshot export tuesday tuesday.zst --since monday
                """)

        @Argument(help: "The snapshot's name.")
        var name: String

        @Argument(help: "The file to write, which must not exist.")
        var file: String

        @Option(help: "A snapshot whose archive there is already: files that both have are left to it.")
        var since: String?

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let client = try await connection.connect()
            // Asked for before there is a file: a name that is wrong leaves none.
            var piece = try await ask(client, offset: 0)
            let output = try OutputFile(file)
            do {
                while true {
                    try output.append(try data(of: piece))
                    guard let next = piece["next"]?.int else { break }
                    piece = try await ask(client, offset: next)
                }
                try output.finish()
            } catch {
                try output.remove()
                throw error
            }
            try await client.close()
            show(piece, output.byteCount)
        }

        private func ask(_ client: Client, offset: Int) async throws -> JSONTree {
            try await client.ask("snapshot.export") { request in
                request.string("name", name)
                request.string("since", since)
                request.int("offset", offset)
            }.root
        }

        private func data(of piece: JSONTree) throws -> [UInt8] {
            guard let text = piece["data"]?.string, let data = Data(base64Encoded: text) else {
                throw CommandFailure(description: "the daemon's answer holds no base64")
            }
            return [UInt8](data)
        }

        private func show(_ last: JSONTree, _ byteCount: Int) {
            guard connection.json else {
                print("exported \(name) at sequence \(last.count("seq")) to \(file): \(byteCount.bytesShown), \(last.bytes("total")) uncompressed")
                return
            }
            var line = JSONWriter()
            line.beginObject()
            line.member("name", name)
            line.member("seq", last["seq"]?.int ?? 0)
            line.member("path", file)
            line.member("bytes", byteCount)
            line.member("total", last["total"]?.int ?? 0)
            line.endObject()
            print(line.text)
        }
    }
}

/// A new file that is whole and on the device, or not there.
private final class OutputFile {
    private let disk: FileSystemDisk
    private let file: any DiskFile
    private(set) var byteCount = 0

    init(_ path: String) throws {
        let url = URL(filePath: path)
        disk = try FileSystemDisk(path: url.deletingLastPathComponent().path)
        file = try disk.create(url.lastPathComponent)
    }

    func append(_ bytes: [UInt8]) throws {
        // Sound: bytes have no invalid pattern.
        try file.write(unsafe bytes.span.bytes, at: byteCount)
        byteCount += bytes.count
    }

    func finish() throws {
        try file.sync()
        try disk.syncDirectory()
    }

    func remove() throws { try disk.remove(file.name) }
}
