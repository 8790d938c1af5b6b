// Every role and every operation, every combination: the table below is what the protocol promises, written once more.
import Testing
import TestSupport
import Wire

/// A request of this operation that is well formed, about a collection of this name where it is about one.
func sample(of operation: OperationName, _ collection: String = "kb", _ more: String = "") -> String {
    let members = switch operation {
    case .hello, .ping, .serverInfo, .serverStats, .flush, .jobs, .listCollections, .listSnapshots, .listGroups, .listAccess, .listAgents: ""
    case .optimize: #","collection":"\#(collection)""#
    // Open: what somebody sees is not the question here, but whether they may ask.
    case .createCollection: #","name":"\#(collection)","dim":2,"metric":"cosine","fields":{"team":"keyword"},"access":"open""#
    case .describeCollection, .dropCollection: #","name":"\#(collection)""#
    case .createSnapshot, .dropSnapshot, .verifySnapshot, .exportSnapshot: #","name":"s""#
    case .upsert: #","collection":"\#(collection)","records":[{"id":"a","vector":[1,0]}]"#
    case .delete, .get: #","collection":"\#(collection)","ids":["a"]"#
    case .patch: #","collection":"\#(collection)","ids":["a"],"title":"T""#
    case .read: #","collection":"\#(collection)","document":"a""#
    case .search: #","collection":"\#(collection)","vector":[1,0]"#
    case .count, .list, .nodes: #","collection":"\#(collection)""#
    case .facet: #","collection":"\#(collection)","field":"team""#
    case .prepareFilter: #","collection":"\#(collection)","filter":{}"#
    case .dropFilter: #","handle":"none""#
    case .putGroup, .addMembers, .removeMembers: #","group":"group:eng","members":["user:ana"]"#
    case .dropGroup, .getGroup: #","group":"group:eng""#
    case .principalGroups: #","principal":"user:ana""#
    case .putAccess, .dropAccess, .getAccess: #","access":"handbook""#
    case .grantAccess: #","access":"handbook","principal":"user:ana","grade":"read""#
    case .denyAccess, .revokeAccess: #","access":"handbook","principal":"user:ana""#
    case .explainAccess: #","collection":"\#(collection)","document":"a","user":"user:ana""#
    case .accessReaders: #","collection":"\#(collection)","document":"a""#
    case .putAgent: #","agent":"agent:weekly","grade":"read""#
    case .dropAgent, .getAgent: #","agent":"agent:weekly""#
    }
    return #"{"id":1,"op":"\#(operation.rawValue)"\#(members)\#(more)}"#
}

@Suite struct RoleTests {
    private static let roles = ["service", "writer", "reader", "admin"]
    private static let documentReads: Set<OperationName> = [.search, .get, .read, .count, .list, .facet, .nodes, .prepareFilter, .dropFilter]
    private static let documentWrites: Set<OperationName> = [.upsert, .patch, .delete]
    private static let anybodys: Set<OperationName> = [.ping, .serverInfo, .listCollections, .describeCollection]

    private static func allowed(_ role: String) -> Set<OperationName> {
        switch role {
        case "reader": documentReads.union(anybodys)
        case "writer": documentWrites.union(anybodys)
        case "service": documentReads.union(documentWrites).union(anybodys)
        default: Set(OperationName.allCases).subtracting(documentReads).subtracting(documentWrites)
        }
    }

    @Test func `what an identity may do is what one of its roles may, and no more`() throws {
        let forge = Forge()
        var credentials = Credentials()
        for signer in forge.signers { credentials.signer(signer) }
        let sets = (0..<16).map { bits in Self.roles.indices.filter { bits >> $0 & 1 == 1 }.map { Self.roles[$0] } }
        let tokens = sets.map { set in set.isEmpty ? forge.hs256(Forge.claims(#""sub":"user:ana""#)) : credentials.key(set.joined(separator: "-"), set) }
        let served = try ServedDatabase(authentication: credentials.json)
        for (set, token) in zip(sets, tokens) {
            let connection = try served.daemon.connect()
            try connection.hello(token)
            let collection = (["made-by"] + set).joined(separator: "-")
            let allowed = set.reduce(into: Set<OperationName>([.hello])) { $0.formUnion(Self.allowed($1)) }
            for operation in OperationName.allCases {
                let code = try connection.answer(sample(of: operation, collection)).failure?.code
                // What is allowed may fail for reasons of its own: there is no such snapshot.
                #expect(code != "unauthenticated" && (code == "forbidden") == !allowed.contains(operation), "\(set) \(operation): \(code ?? "ok")")
            }
        }
    }

    @Test func `only a service speaks for others, and only where there is somebody to speak for`() throws {
        var credentials = Credentials()
        let tokens = Self.roles.map { credentials.key($0, [$0]) } + [credentials.key("all-but-service", ["writer", "reader", "admin"])]
        let served = try ServedDatabase(authentication: credentials.json)
        let admin = try served.daemon.connect()
        try admin.hello(tokens[3])
        try admin.ok(sample(of: .createCollection))
        for (index, token) in tokens.enumerated() {
            let connection = try served.daemon.connect()
            try connection.hello(token)
            for operation in OperationName.allCases where operation != .hello {
                let failure = try connection.answer(sample(of: operation, "kb", #","as":{"user":"user:ana"}"#)).failure
                // A handle is its own word: whoever has it may drop what it names.
                let isAboutDocuments = operation != .dropFilter && Self.documentReads.contains(operation) || operation == .patch || operation == .delete
                if !isAboutDocuments {
                    #expect(failure?.code == "invalid_value" && failure?.field == "as", "\(operation)")
                } else if index == 0 {
                    #expect(failure == nil || failure?.code == "not_found", "\(operation): \(failure?.description ?? "")")
                } else {
                    #expect(failure?.code == "forbidden", "\(operation)")
                }
            }
        }
    }

    @Test func `who asks as somebody changes nobody's rights`() throws {
        var credentials = Credentials()
        let service = credentials.key("service", ["service"])
        let person = credentials.key("person", ["writer", "reader"], #""user":"user:ana""#)
        let agent = credentials.key("agent", ["service"], #""agent":"agent:weekly""#)
        let admin = credentials.key("admin", ["admin"])
        let served = try ServedDatabase(authentication: credentials.json)
        let connection = try served.daemon.connect()
        try connection.hello(admin)
        try connection.ok(sample(of: .createCollection))
        try connection.ok(sample(of: .putAgent))
        try connection.hello(service)
        try connection.ok(sample(of: .upsert))
        let move = #"{"id":1,"op":"patch","collection":"kb","ids":["a"],"parent":"f"}"#, root = #"{"id":1,"op":"patch","collection":"kb","ids":["a"],"parent":null}"#
        let access = #"{"id":1,"op":"patch","collection":"kb","ids":["a"],"access":null}"#
        for line in [move, root, access] { try connection.ok(line) }
        #expect(try connection.failure(#"{"id":1,"op":"patch","collection":"kb","ids":["a"],"parent":"f","as":{"user":"user:ana"}}"#).code == "forbidden")
        for token in [person, agent] {
            try connection.hello(token)
            for line in [move, root, access] {
                let failure = try connection.failure(line)
                #expect(failure.code == "forbidden" && failure.field == "op", "\(failure)")
            }
            #expect(try connection.failure(sample(of: .upsert)).code == "forbidden")
            try connection.ok(sample(of: .patch))
        }
        try connection.ok(sample(of: .delete))
    }

    @Test func `a collection that is not for an identity is answered as one that is not there`() throws {
        var credentials = Credentials()
        let all = credentials.key("all", Self.roles)
        let limited = credentials.key("limited", Self.roles, #""collections":["kb","later"]"#)
        let served = try ServedDatabase(authentication: credentials.json)
        let (free, bound) = (try served.daemon.connect(), try served.daemon.connect())
        try free.hello(all)
        try bound.hello(limited)
        for name in ["kb", "hr"] { try free.ok(sample(of: .createCollection, name)) }
        try free.ok(sample(of: .upsert, "hr"))
        let naming: [OperationName] = OperationName.allCases.filter { sample(of: $0, "hr") != sample(of: $0, "no") }
        #expect(naming.count >= 10)
        for operation in naming {
            let there = try bound.ask(sample(of: operation, "hr")).replacing("hr", with: "no")
            #expect(try bound.ask(sample(of: operation, "no")) == there, "\(operation)")
            guard operation != .createCollection else { continue }
            #expect(try free.ask(sample(of: operation, "no")) == there, "\(operation)")
            #expect(try bound.failure(sample(of: operation, "hr")).code == "unknown_collection", "\(operation)")
        }
        // What is allowed to it works, and what is about everything is not its to do.
        for operation in [OperationName.upsert, .search, .get, .read, .count, .list, .facet, .nodes, .prepareFilter, .patch, .describeCollection, .optimize, .accessReaders, .explainAccess, .delete] { try bound.ok(sample(of: operation)) }
        for operation in [OperationName.flush, .jobs, .serverStats, .createSnapshot, .listSnapshots, .dropSnapshot, .verifySnapshot, .exportSnapshot, .putGroup, .addMembers, .removeMembers, .dropGroup, .getGroup, .listGroups, .principalGroups, .putAccess, .grantAccess, .denyAccess, .revokeAccess, .dropAccess, .getAccess, .listAccess, .putAgent, .dropAgent, .getAgent, .listAgents] {
            #expect(try bound.failure(sample(of: operation)).code == "forbidden", "\(operation)")
        }
        #expect(try bound.failure(#"{"id":1,"op":"optimize"}"#).code == "forbidden")
        #expect(try names(bound) == ["kb"] && bound.ok(sample(of: .serverInfo)).root["collections"]?.int == 1)
        try bound.ok(sample(of: .createCollection, "later"))
        #expect(try names(bound) == ["kb", "later"] && names(free) == ["hr", "kb", "later"])
        #expect(try free.ok(sample(of: .count, "hr")).root["documents"]?.int == 1)
    }

    private func names(_ connection: LineConnection) throws -> [String?] {
        try connection.ok(sample(of: .listCollections)).root["collections"]?.array.map { $0["name"]?.string } ?? []
    }

    @Test func `where the data lies is told to administrators`() throws {
        var credentials = Credentials()
        let tokens = Self.roles.map { credentials.key($0, [$0]) }
        let served = try ServedDatabase(authentication: credentials.json)
        for (role, token) in zip(Self.roles, tokens) {
            let connection = try served.daemon.connect()
            try connection.hello(token)
            #expect(try connection.ok(sample(of: .serverInfo)).root["data"]?.string == (role == "admin" ? served.path : nil), "\(role)")
        }
    }
}
