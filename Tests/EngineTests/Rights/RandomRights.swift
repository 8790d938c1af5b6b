// Random directories, from alphabets so small that everything meets everything again.
@testable import Engine
import TestSupport

enum RandomRights {
    static let users = ["user:ana", "user:bo", "user:\u{E9}", "user:e\u{301}"]
    static let groups = ["group:eng", "group:ops", "group:all", "group:leads"]
    static let agents = ["agent:weekly", "agent:support"]
    static let objects = ["x1", "x2", "x3", "handbook", "\u{E9}"]

    static func object(using random: inout SeededRandom) -> String { objects.randomElement(using: &random)! }  // Alphabets are not empty.

    static func principal(using random: inout SeededRandom) -> String {
        let alphabet = [users, users, groups, groups, agents].randomElement(using: &random)!  // As above.
        return alphabet.randomElement(using: &random)!  // As above.
    }

    /// People, agents for people, agents for themselves; some that nobody has ever named.
    static func caller(using random: inout SeededRandom) -> Caller {
        let user = random.oneIn(6) ? "user:stranger" : users.randomElement(using: &random)!  // As above.
        let agent = random.oneIn(10) ? "agent:stranger" : agents.randomElement(using: &random)!  // As above.
        switch Int.random(in: 0..<5, using: &random) {
        case 0, 1: return Caller(user: user)
        case 2: return Caller(user: nil, agent: agent)
        default: return Caller(user: user, agent: agent)
        }
    }

    static func change(using random: inout SeededRandom) -> DirectoryChange {
        let group = groups.randomElement(using: &random)!  // As above.
        switch Int.random(in: 0..<24, using: &random) {
        case 0..<3: return .putGroup(group, members: members(using: &random))
        case 3..<7: return .addMembers(group: group, members(using: &random))
        case 7, 8: return .removeMembers(group: group, members(using: &random))
        case 9: return .dropGroup(group)
        case 10..<15: return .putAccess(access(using: &random))
        case 15..<18: return .grant(access: object(using: &random), principal: grantee(using: &random), Grade.allCases.randomElement(using: &random)!)  // As above.
        case 18, 19: return .revoke(access: object(using: &random), principal: grantee(using: &random))
        case 20: return .dropAccess(object(using: &random))
        case 21, 22:
            let grade = [Grade.exists, .derive, .read, .read].randomElement(using: &random)!  // As above.
            return .putAgent(AgentInput(name: agents.randomElement(using: &random)!, scope: scope(using: &random), grade: grade))  // As above.
        default: return .dropAgent(agents.randomElement(using: &random)!)  // As above.
        }
    }

    private static func members(using random: inout SeededRandom) -> [String] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in principal(using: &random) }
    }

    private static func grantee(using random: inout SeededRandom) -> String { random.oneIn(6) ? "public" : principal(using: &random) }

    private static func access(using random: inout SeededRandom) -> AccessInput {
        var input = AccessInput(name: object(using: &random))
        var seen: Set<Text> = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let principal = grantee(using: &random)
            guard seen.insert(Text(principal)).inserted else { continue }
            if random.oneIn(6) { input.denials.append(principal) } else {
                input.grants.append((principal, [.exists, .derive, .read, .read].randomElement(using: &random)!))  // As above.
            }
        }
        if random.oneIn(3) { input.inherits = object(using: &random) }
        if random.oneIn(3) { input.contact = "ask \(principal(using: &random))" }
        return input
    }

    /// By what every collection has.
    private static func scope(using random: inout SeededRandom) -> Filter? {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: .field("time", .exists)
        case 1: .not(.field("time", .range(lower: Filter.Bound(.integer(1), isInclusive: true), upper: nil)))
        default: nil
        }
    }
}
