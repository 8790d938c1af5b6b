// When work must stop.

/// A point on the monotonic clock. Long loops ask; asking costs about 25 ns.
package struct Deadline: Sendable {
    private let end: ContinuousClock.Instant?

    package static let none = Deadline(end: nil)
    private init(end: ContinuousClock.Instant?) { self.end = end }
    package init(at end: ContinuousClock.Instant) { self.end = end }

    package var hasPassed: Bool { end.map { ContinuousClock.now >= $0 } ?? false }

    package func check() throws(EngineError) {
        if hasPassed { throw EngineError(.deadlineExceeded, "the deadline passed before the work was done", field: "deadline_ms") }
    }
}
