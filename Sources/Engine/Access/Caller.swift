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
}
