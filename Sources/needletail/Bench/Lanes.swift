// Threads of their own for work that is measured, kept on the processors it is measured on.
import CAffinity
import Foundation
import Synchronization

/// Bodies that run at the same time, each on a thread of its own.
final class Lanes<Value: Sendable>: Sendable {
    private let results: Mutex<[Result<Value, any Error>?]>
    private let ended = DispatchSemaphore(value: 0)

    /// Runs the body once for each lane and returns what they returned, in order.
    static func run(_ count: Int, on cpus: [Int], _ body: @escaping @Sendable (_ lane: Int) throws -> Value) throws -> [Value] {
        let lanes = Lanes(count)
        for lane in 0..<count {
            Thread.detachNewThread {
                let result = Result {
                    if !cpus.isEmpty { try stay(on: cpus) }
                    return try body(lane)
                }
                lanes.end(lane, result)
            }
        }
        return try lanes.wait()
    }

    private init(_ count: Int) { results = Mutex([Result<Value, any Error>?](repeating: nil, count: count)) }

    private func end(_ lane: Int, _ result: Result<Value, any Error>) {
        results.withLock { $0[lane] = result }
        ended.signal()
    }

    private func wait() throws -> [Value] {
        let count = results.withLock { $0.count }
        for _ in 0..<count { ended.wait() }
        return try results.withLock { $0 }.compactMap { try $0?.get() }
    }
}

/// Keeps the calling thread on these processors.
private func stay(on cpus: [Int]) throws {
    let processors = cpus.map { Int32(clamping: $0) }
    // Sound: the array is read within the call, as far as it goes.
    let failure = unsafe processors.withUnsafeBufferPointer { unsafe nt_stay_on($0.baseAddress, $0.count) }
    guard failure == 0 else { throw CommandFailure(description: "searches cannot be kept on processors \(cpus): error \(failure)") }
}
