// One connection: its lines in order, its answers as they come, and how much of either may wait.
import Engine
import Memory
import NIOCore
import NIOPosix
import Synchronization
import Wire

/// Who touches what: lines are added on the event loop and taken by whichever worker holds the session's turn;
/// there is one turn at a time, which is what keeps a connection's writes in order. Answers may come from any
/// thread. All of it lies behind one lock that is held for moments.
final class Session: Sendable {
    private let channel: any Channel
    private let workers: Workers
    private let handler: RequestHandler
    /// Counted from 1, as connections came.
    private let number: UInt64
    /// How long a line may stay unfinished, and answers unread.
    let patienceSeconds: Int

    private struct Line {
        var bytes: ByteBuffer
        var arrived: ContinuousClock.Instant
    }

    /// What must be known of a line until it has been answered.
    private struct Ticket: Sendable {
        let byteCount: Int
        let arrived: ContinuousClock.Instant
        /// nil where the line was no request.
        var operation: OperationName?
        /// nil where its time is not measured.
        var weight: RequestWeight?
    }

    private struct State {
        var lines: [Line] = []
        var firstLine = 0
        /// A worker has, or is about to have, this session's turn.
        var hasTurn = false
        var requestsInFlight = 0
        var bytesInFlight = 0
        var output = ByteBuffer()
        var isFlushScheduled = false
        /// Bytes given to the channel and not yet taken by the peer.
        var unreadBytes = 0
        var unreadChanged = NIODeadline.now()
        /// One timer at a time looks after them: one for each write would be as many as writes in ten seconds.
        var isWatched = false
        var isReadingPaused = false
        var inputEnded = false
        var isDraining = false
        /// Its token was not valid: nothing more is taken from it.
        var isTurnedAway = false
        var isClosed = false
        /// Whose the lines are that have not been looked at yet; nil while it is nobody's.
        var identity: Identity?

        var waitingLines: Int { lines.count - firstLine }
        /// Answers that the peer has not taken, gathered here or given to the channel.
        var untakenBytes: Int { unreadBytes + output.readableBytes }
        /// Lines wait until the peer has read: those that one read brings are many, and what they ask for may be large.
        var isOutputFull: Bool { untakenBytes > ServerLimits.unreadBytesMax }
        var isOverloaded: Bool {
            requestsInFlight >= WireLimits.requestsInFlightMax || bytesInFlight >= WireLimits.bytesInFlightMax || isOutputFull
        }

        /// Everything asked has been answered and taken, and nothing more will be asked. Closing any earlier would drop
        /// the answers that the channel still holds.
        var isDone: Bool { inputEnded && requestsInFlight == 0 && untakenBytes == 0 }

        /// Whether lines that waited for the peer to read may go on; the turn is then the caller's to schedule.
        mutating func takesTurn() -> Bool {
            guard !hasTurn, waitingLines > 0, !isClosed, untakenBytes <= ServerLimits.unreadBytesMax / 2 else { return false }
            hasTurn = true
            return true
        }

        mutating func popLine() -> Line? {
            guard firstLine < lines.count else { return nil }
            let line = lines[firstLine]
            firstLine += 1
            if firstLine == lines.count {
                lines.removeAll(keepingCapacity: true)
                firstLine = 0
            }
            return line
        }
    }

    private let state = Mutex(State())

    init(channel: any Channel, number: UInt64, workers: Workers, handler: RequestHandler, patienceSeconds: Int) {
        self.number = number
        self.channel = channel
        self.workers = workers
        self.handler = handler
        self.patienceSeconds = patienceSeconds
        state.withLock { $0.identity = handler.firstIdentity }
    }

    /// Whether somebody has said who asks. Once so, it stays: a token that has run out can be followed by a new one.
    var isKnown: Bool { state.withLock { $0.identity != nil } }

    /// Whether the peer is held back: what it has begun to send cannot arrive.
    var isReadingPaused: Bool { state.withLock { $0.isReadingPaused } }

    // MARK: Lines in

    /// On the event loop: lines of one read, in order.
    func received(_ lines: [ByteBuffer]) {
        let now = ContinuousClock.now
        let (needsTurn, pause) = state.withLock { state in
            guard !state.isTurnedAway else { return (false, false) }
            for line in lines {
                state.lines.append(Line(bytes: line, arrived: now))
                state.requestsInFlight += 1
                state.bytesInFlight += line.readableBytes
            }
            let needsTurn = !state.hasTurn
            state.hasTurn = true
            let pause = state.isOverloaded && !state.isReadingPaused
            if pause { state.isReadingPaused = true }
            return (needsTurn, pause)
        }
        if pause { setReading(false) }
        if needsTurn { scheduleTurn() }
    }

    private func setReading(_ isOn: Bool) {
        channel.setOption(.autoRead, value: isOn).whenFailure { _ in
            // The channel is closed: there is nothing left to read or to hold back.
            self.closed()
        }
    }

    private func scheduleTurn() {
        workers.submit { worker in self.takeTurn(worker) }
    }

    // MARK: The turn

    private enum Next {
        /// Go on with the next line.
        case proceed
        /// The turn has been given up, or is kept by a request under way that will give it on.
        case leave
    }

    private func takeTurn(_ worker: Worker) {
        let end = ContinuousClock.now + ServerLimits.turn
        var shared: [Read] = []
        repeat {
            guard let (line, identity) = nextLine() else { return answer(shared, worker) }
            if handle(line, identity, worker, &shared) == .leave { return }
        } while ContinuousClock.now < end
        answer(shared, worker)
        scheduleTurn()
    }

    /// A read that needs no turn any more.
    private struct Read: Sendable {
        var authorized: Authorized
        var deadline: ContinuousClock.Instant?
        var ticket: Ticket
    }

    private func answer(_ reads: [Read], _ worker: Worker) {
        for read in reads { self.read(read.authorized, deadline: read.deadline, read.ticket, worker) }
        flushSoon()
    }

    /// Gives reads to whichever thread is free.
    private func hand(over reads: inout [Read]) {
        guard !reads.isEmpty else { return }
        workers.submit { [reads] worker in self.answer(reads, worker) }
        reads.removeAll()
    }

    /// Whether a thread that does nothing can be given some of this connection's reads, while its turn goes on here.
    private var canShare: Bool {
        workers.hasIdleThread && state.withLock { $0.waitingLines >= ServerLimits.readsSharedAtOnce }
    }

    /// The next line, or nil where there is none or the peer must read first: the turn ends in the same moment, so none
    /// is forgotten.
    private func nextLine() -> (Line, Identity?)? {
        state.withLock { state in
            let line = state.isClosed || state.isOutputFull ? nil : state.popLine()
            if line == nil { state.hasTurn = false }
            return line.map { ($0, state.identity) }
        }
    }

    /// Gives the turn to another worker if lines wait, before this one turns to something long.
    private func passTurn() {
        let isWaiting = state.withLock { state in
            let isWaiting = state.waitingLines > 0 && !state.isClosed
            if !isWaiting { state.hasTurn = false }
            return isWaiting
        }
        if isWaiting { scheduleTurn() }
    }

    /// Answers a line, or sees to it that it will be. Light reads gather in `shared` where another thread can be given them.
    private func handle(_ line: Line, _ identity: Identity?, _ worker: Worker, _ shared: inout [Read]) -> Next {
        var ticket = Ticket(byteCount: line.bytes.readableBytes, arrived: line.arrived)
        let request: Request
        do {
            request = try worker.decoder.decode(line.bytes.readableBytesSpan)
        } catch {
            worker.response.failure(error.id, error.error)
            send(worker, ticket)
            return .proceed
        }
        var identity = identity
        if case .hello(let hello) = request.operation {
            guard let known = handler.identity(after: hello, known: identity) else { return turnAway(request.id, ticket, worker, &shared) }
            identity = known
            state.withLock { $0.identity = known }
        }
        let authorized: Authorized
        let id = request.id
        do throws(WireError) { authorized = try request.authorize(identity) } catch {
            worker.response.failure(id, error)
            send(worker, ticket)
            return .proceed
        }
        let judgement = handler.judge(authorized, lineBytes: ticket.byteCount)
        ticket.operation = judgement.name
        ticket.weight = judgement.weight
        if ticket.weight != nil { handler.meter.begin() }
        let deadline = authorized.request.deadlineMilliseconds.map { line.arrived + .milliseconds($0) }
        switch judgement.course {
        case .read(.tiny):
            read(authorized, deadline: deadline, ticket, worker)
            return .proceed
        case .read(.light):
            if !shared.isEmpty || canShare {
                shared.append(Read(authorized: authorized, deadline: deadline, ticket: ticket))
                if shared.count == ServerLimits.readsSharedAtOnce { hand(over: &shared) }
            } else {
                read(authorized, deadline: deadline, ticket, worker)
            }
            return .proceed
        case .read(.large):
            hand(over: &shared)
            flushSoon()
            passTurn()
            read(authorized, deadline: deadline, ticket, worker)
            flushSoon()
            return .leave
        case .order(let order):
            read(authorized, order: order, deadline: deadline, ticket, worker)
            return .proceed
        case .write(let write):
            // A write whose caller has given up is not begun. Once it has its place in the order it is carried out.
            guard let refusal = handler.refusal(ofWriteBy: deadline) else {
                hand(over: &shared)
                return store(write, authorized, ticket, worker)
            }
            worker.response.failure(id, refusal)
            send(worker, ticket)
            return .proceed
        }
    }

    /// A token that is not valid is the end of its connection: what was under way is answered, what stands behind it is not looked at.
    private func turnAway(_ id: RequestID, _ ticket: Ticket, _ worker: Worker, _ shared: inout [Read]) -> Next {
        hand(over: &shared)
        state.withLock { state in
            state.isTurnedAway = true
            state.hasTurn = false
            while let line = state.popLine() {
                state.requestsInFlight -= 1
                state.bytesInFlight -= line.bytes.readableBytes
            }
        }
        drain()
        worker.response.failure(id, .unauthenticated("the token is not valid"))
        send(worker, ticket)
        flushSoon()
        return .leave
    }

    /// Answers a read, or hands on an order; one that must see a sequence not reached yet comes back later instead of blocking a worker.
    private func read(
        _ authorized: Authorized, order: MaintenanceThread.Order? = nil, deadline: ContinuousClock.Instant?, _ ticket: Ticket, _ worker: Worker
    ) {
        if authorized.request.minSequence != nil, waits(authorized, order, deadline, ticket) { return }
        if let order {
            carryOut(order, authorized, deadline: deadline, ticket, worker)
        } else {
            handler.answer(authorized, connection: number, deadline: deadline, into: &worker.response)
            send(worker, ticket)
        }
    }

    /// Whether the request is behind and comes back, as long as there is time and somebody to wait for.
    private func waits(_ authorized: Authorized, _ order: MaintenanceThread.Order?, _ deadline: ContinuousClock.Instant?, _ ticket: Ticket) -> Bool {
        let patience = deadline ?? ticket.arrived + .milliseconds(ServerLimits.sequenceWaitMilliseconds)
        guard handler.isBehind(authorized), ContinuousClock.now < patience, mayWait else { return false }
        var ticket = ticket
        if ticket.weight.take() != nil { handler.meter.abandon() }
        channel.eventLoop.scheduleTask(in: .milliseconds(Int64(ServerLimits.sequencePollMilliseconds))) { [ticket] in
            self.workers.submit { worker in
                self.read(authorized, order: order, deadline: deadline, ticket, worker)
                self.flushSoon()
            }
        }
        return true
    }

    /// Hands background work to its thread, which takes as long as it takes; at its deadline the request is answered and
    /// the work goes on.
    private func carryOut(_ order: MaintenanceThread.Order, _ authorized: Authorized, deadline: ContinuousClock.Instant?, _ ticket: Ticket, _ worker: Worker) {
        // Its deadline is none of the work's concern: that goes on in any case.
        if let refusal = handler.refusal(of: authorized, deadline: nil) {
            worker.response.failure(authorized.request.id, refusal)
            return send(worker, ticket)
        }
        let isAnswered = Flag()
        let answer: @Sendable (Result<UInt64, EngineError>) -> Void = { result in
            guard isAnswered.raise() else { return }
            self.workers.withWorker { worker in
                self.handler.answer(authorized, with: result, into: &worker.response)
                self.send(worker, ticket)
            }
            self.flushSoon()
        }
        let timer = deadline.map { deadline in
            channel.eventLoop.scheduleTask(in: .nanoseconds(Int64((deadline - .now) / .nanoseconds(1)))) {
                answer(.failure(EngineError(.deadlineExceeded, "the deadline passed before the work was done; it goes on", field: "deadline_ms")))
            }
        }
        handler.maintenance.submit(order) { result in
            timer?.cancel()
            answer(result)
        }
    }

    /// Whether there is still somebody to wait for, and time to do so.
    private var mayWait: Bool { state.withLock { !$0.isClosed && !$0.isDraining } }

    /// Gives a write its place in the order, then lets the next line follow while this one is made durable.
    private func store(_ write: Write, _ authorized: Authorized, _ ticket: Ticket, _ worker: Worker) -> Next {
        // What follows may need the collection to be there (or gone), so it waits until it is.
        let keepsTurn = write.changesCollections
        handler.database.enqueue(write) { result in
            self.workers.withWorker { worker in
                self.handler.answer(authorized, with: result, into: &worker.response)
                self.send(worker, ticket)
            }
            self.flushSoon()
            if keepsTurn { self.scheduleTurn() }
        }
        flushSoon()
        if !keepsTurn { passTurn() }
        handler.database.commit()
        handler.maintenance.committed()
        return .leave
    }

    // MARK: Answers out

    private func send(_ worker: Worker, _ ticket: Ticket) {
        handler.answered(ticket.operation, ticket.weight, took: ContinuousClock.now - ticket.arrived)
        let resume = state.withLock { state in
            state.requestsInFlight -= 1
            state.bytesInFlight -= ticket.byteCount
            guard !state.isClosed else { return false }
            if state.output.capacity == 0 { state.output.reserveCapacity(ServerLimits.gatheredBytesUsual) }
            worker.response.withBytes { state.output.write($0) }
            return resumeIfIdle(&state)
        }
        if resume { setReading(true) }
    }

    /// Reading goes on once half of what stopped it is gone, so that it does not stutter.
    private func resumeIfIdle(_ state: inout State) -> Bool {
        guard state.isReadingPaused, !state.isClosed, !state.isDraining, state.requestsInFlight <= WireLimits.requestsInFlightMax / 2,
            state.bytesInFlight <= WireLimits.bytesInFlightMax / 2,
            state.untakenBytes <= ServerLimits.unreadBytesMax / 2
        else { return false }
        state.isReadingPaused = false
        return true
    }

    /// Has the event loop write what has gathered; many answers share one write.
    private func flushSoon() {
        let isNeeded = state.withLock { state in
            guard !state.isFlushScheduled, state.output.readableBytes > 0 || state.inputEnded else { return false }
            state.isFlushScheduled = true
            return true
        }
        if isNeeded { channel.eventLoop.execute { self.flush() } }
    }

    private func flush() {
        var (output, isDone, startsWatch) = state.withLock { state in
            state.isFlushScheduled = false
            let output = state.output
            state.output = ByteBuffer()
            if state.unreadBytes == 0, output.readableBytes > 0 { state.unreadChanged = .now() }
            state.unreadBytes += output.readableBytes
            let startsWatch = state.unreadBytes > 0 && !state.isWatched
            if startsWatch { state.isWatched = true }
            return (output, state.isDone, startsWatch)
        }
        while let piece = output.readSlice(length: min(ServerLimits.writePieceBytes, output.readableBytes)), piece.readableBytes > 0 {
            channel.write(piece).whenSuccess { self.taken(piece.readableBytes) }
        }
        channel.flush()
        if isDone { close() }
        if startsWatch { watchUnread() }
    }

    private func taken(_ byteCount: Int) {
        let (resume, needsTurn, isDone) = state.withLock { state in
            state.unreadBytes -= byteCount
            state.unreadChanged = .now()
            return (resumeIfIdle(&state), state.takesTurn(), state.isDone)
        }
        if resume { setReading(true) }
        if needsTurn { scheduleTurn() }
        if isDone { close() }
    }

    /// Ends a connection whose peer asks but does not read.
    private func watchUnread(after wait: TimeAmount? = nil) {
        let patience = TimeAmount.seconds(Int64(patienceSeconds))
        channel.eventLoop.scheduleTask(in: wait ?? patience) {
            let left = self.state.withLock { state in
                state.isWatched = state.unreadBytes > 0 && !state.isClosed
                return state.isWatched ? state.unreadChanged + patience - .now() : nil
            }
            guard let left else { return }
            if left <= .zero { self.channel.close(promise: nil) } else { self.watchUnread(after: left) }
        }
    }

    // MARK: Ends

    private func close() {
        channel.close(mode: .output).whenComplete { _ in self.channel.close(promise: nil) }
    }

    /// One error that belongs to no request, then the end.
    func refuse(_ error: WireError) {
        state.withLock { $0.requestsInFlight += 1 }
        workers.withWorker { worker in
            worker.response.failure(.none, error)
            send(worker, Ticket(byteCount: 0, arrived: .now))
        }
        inputEnded()
    }

    /// The peer will send no more: finish what is in flight, answer, close.
    func inputEnded() {
        state.withLock { $0.inputEnded = true }
        flushSoon()
    }

    func closed() {
        state.withLock { state in
            state.isClosed = true
            state.lines.removeAll()
            state.firstLine = 0
            state.output = ByteBuffer()
        }
    }

    /// Stops reading and closes once everything asked has been answered; what waits for a sequence waits no longer.
    func drain() {
        state.withLock { $0.isDraining = true }
        setReading(false)
        inputEnded()
    }
}

/// Raised once, by whichever of two is first.
private final class Flag: Sendable {
    private let isRaised = Atomic<Bool>(false)

    /// False where it has been raised before.
    func raise() -> Bool { !isRaised.exchange(true, ordering: .relaxed) }
}

extension ByteBuffer {
    fileprivate mutating func write(_ bytes: RawSpan) {
        // Sound: copied before the closure ends.
        _ = unsafe bytes.withUnsafeBytes { unsafe writeBytes($0) }
    }
}
