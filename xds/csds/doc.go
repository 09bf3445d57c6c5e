// Package csds speaks the Client Status Discovery Service both ways.
//
// Register serves it (envoy.service.status.v3), so that other tools can ask a
// server what each of its nodes was sent and how the node answered. A Watcher
// asks gRPC clients, which serve it themselves, what they have; what they say is
// kept as envoy.Facts, so that the truth about them is found as about an Envoy.
// Bootstrap writes what such a client needs to take its configuration from us.
//
// Only the nodes' conversation is shown: private keys are taken out of all
// resources, as Envoy does in its own dumps.
package csds
