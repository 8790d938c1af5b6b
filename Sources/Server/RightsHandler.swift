// What the operations do that ask about users, groups, agents and access objects.
import Engine
import Wire

extension RequestHandler {
    func answer(_ question: DirectoryQuestion, _ id: RequestID, _ snapshot: DatabaseSnapshot, _ response: inout ResponseWriter) throws(WireError) {
        let sequence = snapshot.sequence
        switch question {
        case .group(let name): try response.group(id, sequence: sequence, try engine { () throws(EngineError) in try snapshot.group(name) })
        case .access(let name): response.access(id, sequence: sequence, try engine { () throws(EngineError) in try snapshot.access(name) })
        case .agent(let name): response.agent(id, sequence: sequence, try engine { () throws(EngineError) in try snapshot.agent(name) })
        case .principal(let name): response.principal(id, sequence: sequence, name: name, groups: snapshot.groups(of: name))
        case .groups(let page):
            let found = try engine { () throws(EngineError) in try snapshot.principals(.group, after: page.after, limit: page.limit) }
            response.names(id, sequence: sequence, areGroups: true, found.names, isEnd: found.isEnd)
        case .agents(let page):
            let found = try engine { () throws(EngineError) in try snapshot.principals(.agent, after: page.after, limit: page.limit) }
            response.names(id, sequence: sequence, areGroups: false, found.names, isEnd: found.isEnd)
        case .accessObjects(let page):
            let found = try engine { () throws(EngineError) in try snapshot.accessObjects(after: page.after, limit: page.limit) }
            try response.accessObjects(id, sequence: sequence, found.objects, isEnd: found.isEnd)
        case .explain(let input): response.explanation(id, sequence: sequence, try engine { () throws(EngineError) in try snapshot.explain(input) })
        case .readers(let input):
            let found = try engine { () throws(EngineError) in
                try snapshot.readers(of: input.document, in: input.collection, after: input.page.after, limit: input.page.limit)
            }
            response.readers(id, sequence: sequence, everybody: found.everybody, found.users, isEnd: found.isEnd)
        }
    }
}
