// Cuts a list of texts into requests a service will take.

/// The next batch on each call, as numbers of texts, until none is left.
///
/// Texts of nothing but white space are left out: services refuse them, and they have no vector.
struct TextBatches: Sequence, IteratorProtocol {
    private let texts: [String]
    private let textsMax: Int
    private let bytesMax: Int
    private var position = 0

    init(_ texts: [String], textsMax: Int, bytesMax: Int) {
        self.texts = texts
        self.textsMax = textsMax
        self.bytesMax = bytesMax
    }

    mutating func next() -> [Int]? {
        var batch: [Int] = []
        var bytes = 0
        while position < texts.count, batch.count < textsMax {
            let text = texts[position]
            if text.allSatisfy(\.isWhitespace) {
                position += 1
                continue
            }
            bytes += text.utf8.count
            if bytes > bytesMax, !batch.isEmpty { break }
            batch.append(position)
            position += 1
        }
        return batch.isEmpty ? nil : batch
    }
}
