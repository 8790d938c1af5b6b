// Work cut into pieces for a few threads that live as long as the work.
import Synchronization
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How many threads share a piece of work, and what makes them give it up.
struct Workers: Sendable {
    var threads = 1
    /// Asked before every piece; once it says yes, the pieces left are not done.
    var isCancelled: @Sendable () -> Bool = { false }

    /// Runs `body` for 0..<count on up to `threads` threads, the caller's among them, and returns when all is done. Pieces
    /// are taken in rising order. Threads begin with the caller's priority, so background work stays in the background.
    func forEach(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        forEach(count, room: {}) { piece, _ in body(piece) }
    }

    /// The same, each thread with room of its own that it works in.
    func forEach<Room>(_ count: Int, room: @escaping @Sendable () -> Room, _ body: @escaping @Sendable (Int, Room) -> Void) {
        let next = NextPiece(end: count)
        let isCancelled = isCancelled
        let work: @Sendable () -> Void = {
            let room = room()
            while !isCancelled(), let piece = next.take() { body(piece, room) }
        }
        let handles = (1..<max(1, min(threads, count))).compactMap { _ in startThread(work) }
        work()
        for handle in handles { pthread_join(handle, nil) }
    }

    /// Calls `body` for the blocks of at most `size` that 0..<count is made of.
    func forEachBlock(_ count: Int, size: Int, _ body: @escaping @Sendable (Range<Int>) -> Void) {
        forEachBlock(count, size: size, room: {}) { block, _ in body(block) }
    }

    func forEachBlock<Room>(
        _ count: Int, size: Int, room: @escaping @Sendable () -> Room, _ body: @escaping @Sendable (Range<Int>, Room) -> Void
    ) {
        forEach((count + size - 1) / size, room: room) { block, room in body(block * size..<min(count, (block + 1) * size), room) }
    }
}

/// nil where no thread is to be had: the others do its share.
private func startThread(_ work: @escaping @Sendable () -> Void) -> pthread_t? {
    var handle = pthread_t(bitPattern: 0)
    let context = unsafe Unmanaged.passRetained(Job(work))
    let code = unsafe pthread_create(&handle, nil, { context in
        // Sound: the context is the job passed below, retained for this thread.
        let job = unsafe Unmanaged<Job>.fromOpaque(context!).takeRetainedValue()
        job.work()
        return nil
    }, context.toOpaque())
    guard code == 0 else {
        unsafe context.release()
        return nil
    }
    return handle
}

private final class Job: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
}

private final class NextPiece: Sendable {
    private let next = Atomic(0)
    private let end: Int

    init(end: Int) { self.end = end }

    func take() -> Int? {
        let piece = next.add(1, ordering: .relaxed).oldValue
        return piece < end ? piece : nil
    }
}
