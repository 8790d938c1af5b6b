// Plain threads for tests of what happens between them: each is there at once and may wait for the others.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

package enum Threads {
    /// Runs `body` on as many threads at the same time, with their numbers, and returns when all have ended.
    package static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        var threads: [pthread_t] = []
        for number in 0..<count {
            let job = unsafe Unmanaged.passRetained(Job { body(number) })
            var thread = pthread_t()
            // Sound: the thread takes over the reference that was retained for it.
            let code = unsafe pthread_create(&thread, nil, { argument in
                unsafe Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().body()  // It was passed one.
                return nil
            }, unsafe job.toOpaque())
            precondition(code == 0, "a thread can be started")
            threads.append(thread)
        }
        for thread in threads {
            let code = pthread_join(thread, nil)
            precondition(code == 0, "a thread can be joined once")
        }
    }

    private final class Job: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
