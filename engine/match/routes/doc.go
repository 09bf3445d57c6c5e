// Package routes is Envoy's routing decision within one RouteConfiguration:
// which virtual host takes the Host, which of its routes is the first that
// matches, what that route does with the request, and why the others do not.
//
// It is pure. A [Table] is compiled once and is then safe for any number of
// goroutines. What comes before (listener, filter chain, the normalisation of
// the path, the headers that the connection manager sets) is package match's.
//
// The decision is Envoy 1.40's, and it falls in this order:
//
//   - domains.go: the virtual host whose domain fits the Host best;
//   - conditions.go, headers.go, metadata.go, text.go, paths.go, template.go:
//     what one route asks of a request (request.go is how they see it), each
//     condition with the sentence that says why it is met or not;
//   - index.go, trie.go, literal.go, choice.go: which routes may match at all, so
//     that among ten thousand a few are looked at. The first in the order of the
//     configuration still wins. The index goes by paths, and among routes of one
//     path by headers that must have one value. Routes of one path that differ in
//     anything else (a prefix of a header, a query parameter, a cookie) are asked
//     one after another, as Envoy asks them;
//   - act.go, redirect.go, rewrite.go, format.go, weights.go: what the route then
//     does;
//   - settings.go, retry.go, mirror.go, policies.go: the policies in force, and
//     the level that each is from;
//   - explain.go, reasons.go: what every other virtual host and route lacked;
//   - shadow.go, cover.go, unmatchable.go: routes that no request can reach.
package routes
