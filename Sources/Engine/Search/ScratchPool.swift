// Memory that searches work in, kept for the next ones.
import Index
import Synchronization

/// As many as searches ran at one time.
final class ScratchPool: Sendable {
    static let shared = ScratchPool()
    private let idle = Mutex<[Kept]>([])

    private struct Kept: @unchecked Sendable {
        // Sendable: whoever takes it out of the pool has it alone.
        let scratch: SearchScratch
    }

    func with<T>(_ body: (SearchScratch) throws(EngineError) -> T) throws(EngineError) -> T {
        let kept = idle.withLock { $0.popLast() } ?? Kept(scratch: SearchScratch())
        defer { idle.withLock { $0.append(kept) } }
        return try body(kept.scratch)
    }
}
