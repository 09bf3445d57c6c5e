// Package nack takes apart what an Envoy says when it rejects a response: which
// resource it means, which field, where that stands in the operator's text, why
// Envoy refuses it in plain words, and which edit mends it.
//
// Envoy's words name a cluster or a listener at best, a route or a field hardly
// ever, and drag a dump of whole messages along. What they leave out is found by
// what the push changed. Everything here is pure.
package nack
