// Package adapter lets a conformance suite drive a management server.
//
// The suite of github.com/ii/xds-test-harness plays the xDS client, and asks for
// the states that it wants to see through a small gRPC service of its own,
// adapter.Adapter: set a node's resources under a version, clear them, update,
// add or remove one. Register serves that service, with messages described here
// by hand; Adapter does what it asks for with nothing but the exported face of
// package xds, so it is also the example of how to drive a Server from outside.
// Client speaks to the service, as the suite does.
//
// To run the suite itself against this server:
//
//	go run ./xds/xdstest/adapter/cmd        # xDS on :18000, the service on :17000
//	xds-harness -A :17000 -T :18000 -N test-id
package adapter
