// A daemon started to be measured, and what it has used of the processors.
import Foundation

final class ServedDaemon {
    let port: Int
    private let process = Process()
    private let clock: clockid_t

    /// Returns once it accepts connections.
    init(_ executable: String, data: String, workers: Int) throws {
        let output = Pipe()
        process.executableURL = URL(filePath: executable)
        process.arguments = ["--data", data, "--port", "0", "--workers", "\(workers)", "--quiet"]
        process.standardOutput = output
        try process.run()
        // Its only line, which it prints whole.
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = line.split(separator: ":").last.flatMap({ Int($0.split(separator: "\n").first ?? "") }) else {
            throw CommandFailure(description: "\(executable) did not start")
        }
        self.port = port
        var clock = clockid_t()
        // Sound: one number is filled in.
        guard unsafe clock_getcpuclockid(process.processIdentifier, &clock) == 0 else {
            throw CommandFailure(description: "the processor time of \(executable) cannot be read")
        }
        self.clock = clock
    }

    /// Microseconds of processor time that it has used so far, its own and the kernel's, of all threads.
    var processorMicroseconds: Double { Processor.microseconds(of: clock) }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }
}

enum Processor {
    /// What the calling thread has used.
    static var threadMicroseconds: Double { microseconds(of: CLOCK_THREAD_CPUTIME_ID) }

    static func microseconds(of clock: clockid_t) -> Double {
        var time = timespec()
        // Sound: filled in by the call, where there is such a clock.
        guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }
}
