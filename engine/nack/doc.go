// Package nack takes apart what an Envoy says when it rejects a response: which
// resource it means, which field, where that stands in the operator's text, why
// Envoy refuses it in plain words, and which edit mends it.
//
// Envoy's words name a cluster or a listener at best, a route or a field hardly
// ever, and drag a dump of whole messages along. What they leave out is found by
// what the push changed. Everything here is pure.
//
// A NACK is split into its reasons (reason.go, words.go). Each is held against
// the sentences that are known (rules.go, sayings.go), which look for the place in
// the resources that it may mean, likelier ones first (suspects.go). What no rule
// knows is told all the same, with what the push changed (unknown.go). The words
// of gRPC's xDS client and of the built-in proxy are known too.
//
// The cases in testdata/envoy and testdata/grpc are what a real Envoy 1.40 and a
// real gRPC client said; tests of package xds have them say it again, and take
// what was mended.
package nack
