// Package check says what is wrong with a mesh before an Envoy is asked.
//
// Envoy answers a push with an ACK or a NACK, and an ACK only means that the
// message could be loaded. A route to a cluster that nobody serves, a filter
// chain without the router filter and an assignment without endpoints are all
// accepted; the requests fail afterwards. [Mesh] therefore looks in three ways:
//
//   - the validation rules that are generated from Envoy's own protos, in the
//     resources and in every typed configuration within them (validate.go);
//   - the names with which resources refer to each other, both ways: names
//     that lead nowhere and resources that nobody names (references.go);
//   - what is known to go wrong in practice, one function for each rule
//     (listeners.go, filters.go, routes.go, shadow.go, clusters.go,
//     endpoints.go; vhds.go, scopes.go, extensions.go; grpc.go for what gRPC
//     clients ask for; certificates.go for what TLS is set up with).
//
// live_test.go holds all this against what a real Envoy was seen to answer, row by
// row: for whatever it rejects, or takes and then fails on, there is a finding.
//
// rules.go lists every rule. [Change] adds what a push from one mesh to
// another does to connections and requests in flight.
//
// A finding is an error when the resource is rejected or cannot work, a warning
// when it works other than it reads, and a note when it is fine as it is and
// still worth knowing. Only what is certain from the mesh itself is reported.
package check
