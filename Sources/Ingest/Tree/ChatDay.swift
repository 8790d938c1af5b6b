// One day of one channel, as a chat export keeps it: an array of messages.
import Wire

/// Something that somebody said.
struct ChatMessage: Equatable, Sendable {
    /// Microseconds since 1970: the export's time stamp, which is also the message's name within its channel.
    var stamp: Int64
    /// The stamp of the message that this one answers; its own, or nil, for one that answers none.
    var thread: Int64?
    var author: String
    var text: String
}

/// A message that could not be read.
struct ChatFault: Equatable, Sendable {
    /// From 0, in the file.
    var index: Int
    var reason: String
}

/// The messages of a day, in the order they were sent.
struct ChatDay: Equatable, Sendable {
    private(set) var messages: [ChatMessage] = []
    private(set) var faults: [ChatFault] = []

    init(_ root: JSONValue, names: ChatNames) throws(RowError) {
        guard var elements = root.elements else { throw RowError("expected an array of messages, found \(root.kind.name)") }
        var index = 0
        while let element = elements.next() {
            do {
                if let message = try ChatMessage(element, names: names) { messages.append(message) }
            } catch {
                faults.append(ChatFault(index: index, reason: error.reason))
            }
            index += 1
        }
        // Stable, so that two messages of one stamp keep the file's order.
        messages.sort { $0.stamp < $1.stamp }
    }

    /// Messages with the answers to them directly behind them; a thread stands where its first message does. Answers
    /// to a message of an earlier day stay together on the day they were given.
    var threads: [[ChatMessage]] {
        var threads: [[ChatMessage]] = []
        var positions: [Int64: Int] = [:]
        for message in messages {
            let key = message.thread ?? message.stamp
            if let position = positions[key] {
                threads[position].append(message)
            } else {
                positions[key] = threads.count
                threads.append([message])
            }
        }
        return threads
    }
}

extension ChatMessage {
    /// nil for what is no message to a reader: somebody joined, a message was deleted, a message without a word.
    fileprivate init?(_ value: JSONValue, names: ChatNames) throws(RowError) {
        guard var members = value.members else { throw RowError("expected a message, found \(value.kind.name)") }
        var draft = MessageDraft()
        while let member = try members.nextInRow() { try draft.read(member) }
        guard !draft.isNotice else { return nil }
        guard let written = draft.stamp, let stamp = Self.stamp(written) else {
            throw RowError("expected a time stamp such as \"1618300000.000200\" under \"ts\"")
        }
        let text = ChatMarkup.plain(draft.content, names: names)
        guard !text.isEmpty else { return nil }
        self.init(stamp: stamp, thread: draft.thread.flatMap(Self.stamp), author: draft.author(names), text: text)
    }

    /// Seconds and up to six digits behind a point, in microseconds.
    private static func stamp(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let seconds = Int64(parts[0]), (0...secondsMax).contains(seconds) else { return nil }
        let digits = parts.count == 2 ? parts[1] : "0"
        guard (1...6).contains(digits.utf8.count), let fraction = UInt64(digits) else { return nil }
        let padding = repeatElement(10, count: 6 - digits.utf8.count).reduce(1, *)
        return seconds * 1_000_000 + Int64(fraction) * Int64(padding)
    }

    /// The end of the year 9999, which is as far as RFC 3339 goes.
    private static let secondsMax: Int64 = 253_402_300_799
}

/// A message while its keys are read.
private struct MessageDraft {
    var stamp: String?
    var thread: String?
    private var subtype: String?
    private var user: String?
    private var botID: String?
    private var names = NameCandidates()
    private var username: String?
    private var text = ""
    private var extras: [String] = []

    mutating func read(_ member: borrowing JSONMember) throws(RowError) {
        let value = member.value
        switch member.key {
        case "ts": stamp = value.string
        case "thread_ts": thread = value.string
        case "subtype": subtype = value.string
        case "user": user = value.string
        case "bot_id": botID = value.string
        case "username": username = value.string
        case "user_profile", "bot_profile": try names.read(profile: value)
        case "text": try readText(value)
        case "files": try readExtras(value, keys: ["title", "name"]) { "[file: \($0)]" }
        case "attachments": try readExtras(value, keys: ["text", "fallback"]) { $0 }
        default: break
        }
    }

    private mutating func readText(_ value: JSONValue) throws(RowError) {
        if value.isNull { return }
        guard let string = value.string else { throw RowError("\"text\" must be a string, found \(value.kind.name)") }
        text = string
    }

    /// What else a message carries, by the first of these keys that is not empty.
    private mutating func readExtras(_ value: JSONValue, keys: [String], _ render: (String) -> String) throws(RowError) {
        guard var elements = value.elements else { return }
        while let element = elements.next() {
            guard var members = element.members else { continue }
            var found: [String: String] = [:]
            while let member = try members.nextInRow() {
                if keys.contains(member.key), let text = member.value.string, !text.isEmpty { found[member.key] = text }
            }
            if let text = keys.compactMap({ found[$0] }).first { extras.append(render(text)) }
        }
    }

    /// Written by the service about the channel, not by somebody to it.
    private static let notices: Set<String> = ["channel_join", "channel_leave", "group_join", "group_leave", "tombstone"]
    var isNotice: Bool { subtype.map(Self.notices.contains) ?? false }

    var content: String { ([text] + extras).filter { !$0.isEmpty }.joined(separator: "\n") }

    func author(_ people: ChatNames) -> String {
        user.flatMap { people[$0] } ?? username.flatMap { $0.isEmpty ? nil : $0 } ?? names.best ?? user ?? botID ?? "unknown"
    }
}
