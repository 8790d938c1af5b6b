// Questions about users, groups, agents and access objects, answered as the daemon does.
import Engine
import Wire

enum DirectoryAnswers {
    static func answer(_ question: DirectoryQuestion, _ id: RequestID, _ snapshot: DatabaseSnapshot, _ response: inout ResponseWriter) throws(WireError) {
        func engine<T>(_ body: () throws(EngineError) -> T) throws(WireError) -> T { try RequestScript.engine(body) }
        switch question {
        case .group(let name): try response.group(id, sequence: 1, try engine { () throws(EngineError) in try snapshot.group(name) })
        case .access(let name): response.access(id, sequence: 1, try engine { () throws(EngineError) in try snapshot.access(name) })
        case .agent(let name): response.agent(id, sequence: 1, try engine { () throws(EngineError) in try snapshot.agent(name) })
        case .principal(let name): response.principal(id, sequence: 1, name: name, groups: snapshot.groups(of: name))
        case .groups(let page):
            let found = try engine { () throws(EngineError) in try snapshot.principals(.group, after: page.after, limit: page.limit) }
            response.names(id, sequence: 1, areGroups: true, found.names, isEnd: found.isEnd)
        case .agents(let page):
            let found = try engine { () throws(EngineError) in try snapshot.principals(.agent, after: page.after, limit: page.limit) }
            response.names(id, sequence: 1, areGroups: false, found.names, isEnd: found.isEnd)
        case .accessObjects(let page):
            let found = try engine { () throws(EngineError) in try snapshot.accessObjects(after: page.after, limit: page.limit) }
            try response.accessObjects(id, sequence: 1, found.objects, isEnd: found.isEnd)
        case .explain(let input): response.explanation(id, sequence: 1, try engine { () throws(EngineError) in try snapshot.explain(input) })
        case .readers(let input):
            let found = try engine { () throws(EngineError) in
                try snapshot.readers(of: input.document, in: input.collection, after: input.page.after, limit: input.page.limit)
            }
            response.readers(id, sequence: 1, everybody: found.everybody, found.users, isEnd: found.isEnd)
        }
    }
}
