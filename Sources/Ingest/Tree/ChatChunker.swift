// A day of chat to passages: windows of messages that follow each other, threads kept together.
import Wire

/// Packs messages as `Name: text`, one under the other, up to the target. A thread is whole where it fits and is
/// otherwise cut between its messages; a message is cut only if it alone is over the maximum.
struct ChatChunker: Sendable {
    let bounds: ChunkBounds
    let countTokens: TokenCounter

    func split(_ day: ChatDay, heading: String) -> [OutgoingChunk] {
        var transcript = Transcript()
        let units = day.threads.map { transcript.append($0) }
        let packer = ChunkPacker(body: transcript.body, bounds: bounds, countTokens: countTokens)
        return packer.texts(units).map { OutgoingChunk(text: $0, heading: heading) }
    }
}

/// The day written out, with the place of every message in it.
private struct Transcript {
    private var bytes: [UInt8] = []

    var body: TextBody { TextBody(bytes: bytes) }

    mutating func append(_ thread: [ChatMessage]) -> TextUnit {
        let messages = thread.map { append($0) }
        guard messages.count > 1 else { return messages[0] }
        return TextUnit(range: messages[0].range.lowerBound..<messages[messages.count - 1].range.upperBound, shape: .group(messages))
    }

    private mutating func append(_ message: ChatMessage) -> TextUnit {
        let start = bytes.count
        bytes += "\(message.author): \(message.text)\n".utf8
        return TextUnit(range: start..<bytes.count, shape: .prose)
    }
}
