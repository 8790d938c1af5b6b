// Who asks: a person, an agent, or an agent for a person.

/// On whose behalf a request is made. What it may see is what both may: the person's rights, no more than the agent's highest grade,
/// nothing outside the agent's scope.
package struct Caller: Hashable, Sendable {
    /// `user:ana`; one that nobody has named has the rights of `public`. nil where an agent asks for itself.
    package var user: String?
    /// `agent:weekly`; must be known. nil where a person asks directly.
    package var agent: String?

    package init(user: String?, agent: String? = nil) {
        self.user = user
        self.agent = agent
    }

    // Byte by byte: a person whose name only looks like another's is another, and is not to be answered from what was kept for that one.
    package static func == (a: Caller, b: Caller) -> Bool { isSame(a.user, b.user) && isSame(a.agent, b.agent) }

    private static func isSame(_ a: String?, _ b: String?) -> Bool {
        if let a, let b { a.isExactly(b) } else { a == nil && b == nil }
    }

    // Names that only look alike share a hash, which is harmless.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(user)
        hasher.combine(agent)
    }
}
