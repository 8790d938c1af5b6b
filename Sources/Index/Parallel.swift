// Work cut into pieces for a few threads that live as long as the work.
import Synchronization
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs `body` for 0..<count on up to `threads` threads, the caller's among them, and returns when all is done. Pieces are
/// taken in rising order. Threads begin with the caller's priority, so background work stays in the background.
func forEachInParallel(_ count: Int, threads: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let next = NextPiece(end: count)
    let work: @Sendable () -> Void = {
        while let piece = next.take() { body(piece) }
    }
    var handles: [pthread_t] = []
    for _ in 1..<max(1, min(threads, count)) {
        var handle = pthread_t(bitPattern: 0)
        let context = unsafe Unmanaged.passRetained(Job(work))
        let code = unsafe pthread_create(&handle, nil, { context in
            // Sound: the context is the job passed below, retained for this thread.
            let job = unsafe Unmanaged<Job>.fromOpaque(context!).takeRetainedValue()
            job.work()
            return nil
        }, context.toOpaque())
        guard code == 0 else {
            // No thread to be had: the others do its share.
            unsafe context.release()
            break
        }
        handles.append(handle)
    }
    work()
    for handle in handles { pthread_join(handle, nil) }
}

/// Calls `body` for the blocks of at most `size` that 0..<count is made of.
func forEachBlockInParallel(_ count: Int, size: Int, threads: Int, _ body: @escaping @Sendable (Range<Int>) -> Void) {
    forEachInParallel((count + size - 1) / size, threads: threads) { block in
        body(block * size..<min(count, (block + 1) * size))
    }
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
