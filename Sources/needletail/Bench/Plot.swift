// Curves of recall and speed as an SVG file.
import Foundation

/// Recall to the right, stretched towards 1; queries a second upwards, by their logarithm.
struct Plot {
    let title: String
    let subtitle: String
    let series: [Series]

    private static let (width, height) = (960.0, 560.0)
    private static let (left, right, top, bottom) = (80.0, 240.0, 64.0, 64.0)
    /// Told apart by most who see colours differently (Okabe and Ito's).
    private static let colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F"]
    private static let recallTicks = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1]
    /// Where a recall of 1 is drawn.
    private static let recallMax = 0.9997
    private static let recallMin = 0.5

    var svg: String {
        let shown = series.filter { !$0.frontier.isEmpty }
        let rates = shown.flatMap { $0.frontier.map(\.rate) }
        guard let slowest = rates.min(), let fastest = rates.max() else { return document(text(Self.left, Self.top, "nothing was measured")) }
        let decades = (log10(slowest) - 0.05).rounded(.down)...max((log10(fastest) + 0.05).rounded(.up), (log10(slowest) - 0.05).rounded(.down) + 1)
        var body = text(Self.left, 28, title, size: 18, weight: "bold") + text(Self.left, 48, subtitle, size: 12, color: "#555")
        body += grid(decades)
        for (number, series) in shown.enumerated() { body += curve(series, number, decades) }
        return document(body)
    }

    private func grid(_ decades: ClosedRange<Double>) -> String {
        let (bottom, right) = (Self.height - Self.bottom, Self.width - Self.right)
        var lines = ""
        for recall in Self.recallTicks {
            lines += line(x(recall), Self.top, x(recall), bottom) + text(x(recall), bottom + 18, recall.shortest, anchor: "middle")
        }
        for decade in Int(decades.lowerBound)...Int(decades.upperBound) {
            for step in [1.0, 2, 5] {
                let rate = step * pow(10, Double(decade))
                guard log10(rate) <= decades.upperBound else { continue }
                lines += line(Self.left, y(rate, decades), right, y(rate, decades), color: step == 1 ? "#bbb" : "#e6e6e6")
                lines += text(Self.left - 8, y(rate, decades) + 4, Int(rate).grouped, anchor: "end")
            }
        }
        lines += text((Self.left + right) / 2, bottom + 42, "recall", size: 13, anchor: "middle")
        return lines + text(Self.left - 64, Self.top - 8, "queries/s", size: 13)
    }

    private func curve(_ series: Series, _ number: Int, _ decades: ClosedRange<Double>) -> String {
        let color = Self.colors[number % Self.colors.count]
        // The part below the axis is not drawn.
        let places = series.frontier.filter { $0.recall >= Self.recallMin }.map { (x: x($0.recall), y: y($0.rate, decades)) }
        let path = places.map { "\($0.x.shown(1)),\($0.y.shown(1))" }.joined(separator: " ")
        var drawn = #"<polyline points="\#(path)" fill="none" stroke="\#(color)" stroke-width="2"/>"# + "\n"
        for place in places { drawn += #"<circle cx="\#(place.x.shown(1))" cy="\#(place.y.shown(1))" r="3" fill="\#(color)"/>"# + "\n" }
        let (legendX, legendY) = (Self.width - Self.right + 20, Self.top + 8 + 22 * Double(number))
        drawn += line(legendX, legendY - 4, legendX + 22, legendY - 4, color: color, width: 3)
        return drawn + text(legendX + 30, legendY, series.contender, size: 13)
    }

    private func x(_ recall: Double) -> Double {
        func stretched(_ recall: Double) -> Double { -log10(1 - min(max(recall, Self.recallMin), Self.recallMax)) }
        let share = (stretched(recall) - stretched(Self.recallMin)) / (stretched(1) - stretched(Self.recallMin))
        return Self.left + share * (Self.width - Self.left - Self.right)
    }

    private func y(_ rate: Double, _ decades: ClosedRange<Double>) -> Double {
        let share = (log10(rate) - decades.lowerBound) / (decades.upperBound - decades.lowerBound)
        return Self.height - Self.bottom - share * (Self.height - Self.top - Self.bottom)
    }

    private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, color: String = "#e6e6e6", width: Int = 1) -> String {
        let place = #"x1="\#(x1.shown(1))" y1="\#(y1.shown(1))" x2="\#(x2.shown(1))" y2="\#(y2.shown(1))""#
        return #"<line \#(place) stroke="\#(color)" stroke-width="\#(width)"/>"# + "\n"
    }

    private func text(
        _ x: Double, _ y: Double, _ content: String, size: Int = 11, weight: String = "normal", color: String = "#222", anchor: String = "start"
    ) -> String {
        let escaped = content.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            default: escaped.append(character)
            }
        }
        let look = #"font-size="\#(size)" font-weight="\#(weight)" fill="\#(color)" text-anchor="\#(anchor)""#
        return #"<text x="\#(x.shown(1))" y="\#(y.shown(1))" \#(look)>\#(escaped)</text>"# + "\n"
    }

    private func document(_ body: String) -> String {
        #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Int(Self.width)) \#(Int(Self.height))" font-family="sans-serif">"# + "\n"
            + #"<rect width="100%" height="100%" fill="white"/>"# + "\n" + body + "</svg>\n"
    }
}

extension Double {
    /// Without a point where nothing stands behind it.
    fileprivate var shortest: String { self == rounded() ? "\(Int(self))" : "\(self)" }
}
