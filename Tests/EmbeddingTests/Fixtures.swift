// Finds the reference texts and the model's files beside the tests' sources.

import Foundation

enum Fixtures {
    struct Reference: Decodable {
        let text: String
        let ids: [UInt32]
        let vector: [Double]?
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

    /// Texts with the ids and vectors that the model's makers computed.
    static func references() throws -> [Reference] {
        let lines = try Data(contentsOf: folder.appending(path: "Fixtures/reference.jsonl")).split(separator: 0x0A)
        return try lines.map { try JSONDecoder().decode(Reference.self, from: $0) }
    }

    /// A file of the model as it lies in the repository, to compare with what is linked into the binary.
    static func model(_ file: String) throws -> Data {
        try Data(contentsOf: folder.appending(path: "../../Sources/CMiniLM/model/\(file)").standardizedFileURL)
    }
}
