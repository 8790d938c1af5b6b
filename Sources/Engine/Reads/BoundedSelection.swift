// The first few of many, without sorting the rest: what a page of a list is.

/// Keeps the `limit` elements that come first, in a heap whose root comes last. O(log limit) for one that is kept, O(1) for others.
struct BoundedSelection<Element> {
    private var heap: [Element] = []
    private let limit: Int
    private let comesBefore: (Element, Element) -> Bool

    /// - Parameter comesBefore: a strict order, in which no two elements offered are equal.
    init(limit: Int, by comesBefore: @escaping (Element, Element) -> Bool) {
        precondition(limit > 0, "a page has room for one")
        self.limit = limit
        self.comesBefore = comesBefore
    }

    mutating func offer(_ element: Element) {
        guard heap.count == limit else {
            heap.append(element)
            return rise()
        }
        guard comesBefore(element, heap[0]) else { return }
        heap[0] = element
        sink()
    }

    /// In their order.
    consuming func sorted() -> [Element] { heap.sorted(by: comesBefore) }

    private mutating func rise() {
        var place = heap.count - 1
        while place > 0, comesBefore(heap[(place - 1) / 2], heap[place]) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func sink() {
        var place = 0
        while 2 * place + 1 < heap.count {
            let (left, right) = (2 * place + 1, 2 * place + 2)
            let later = right < heap.count && comesBefore(heap[left], heap[right]) ? right : left
            guard comesBefore(heap[place], heap[later]) else { return }
            heap.swapAt(place, later)
            place = later
        }
    }
}
