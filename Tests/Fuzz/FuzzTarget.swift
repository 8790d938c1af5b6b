// What a fuzz target is: a name, bytes to begin with, and a function that must come to an end with any bytes.

/// A new target is a file with one of these, and its name in `all`.
struct FuzzTarget: Sendable {
    let name: String
    /// Inputs that reach far into the code, for the fuzzer to change.
    let seeds: @Sendable () -> [[UInt8]]
    /// Runs one input. A crash, a trap or `violated` is a finding.
    let run: @Sendable (_ input: [UInt8]) -> Void

    static let all: [FuzzTarget] = [.log, .manifest, .columns, .catalog, .index, .archive, .audit, .records, .lines, .requests]
}

/// Ends the process: what must hold does not. (A failed precondition does not say which in a release build.)
func violated(_ rule: String) -> Never { fatalError(rule) }

/// An input as a list of choices. Past its end all of them are 0.
struct Choices {
    private let input: [UInt8]
    private var offset = 0

    init(_ input: [UInt8]) { self.input = input }

    var isEmpty: Bool { offset == input.count }

    mutating func byte() -> UInt8 {
        guard !isEmpty else { return 0 }
        defer { offset += 1 }
        return input[offset]
    }

    mutating func word() -> Int { Int(byte()) | Int(byte()) << 8 }

    /// As many bytes, or what is left.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let end = min(offset + count, input.count)
        defer { offset = end }
        return Array(input[offset..<end])
    }
}
