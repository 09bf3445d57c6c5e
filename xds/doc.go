// Package xds serves meshes to Envoys and reports what each did with them.
//
// A Server is go-control-plane's xDS server over a cache of our own. It takes
// a revision, plans the steps that lead each node there without breaking
// traffic, sends them, waits for that node's own answers, and keeps every fact
// about every resource on every node: when it was served, acknowledged,
// rejected and in which words. The conversation itself is kept in a bounded
// ring, the wire.
//
// Nothing is taken away that may still be used: a step that removes waits for
// the steps before it, and after a listener changed for its old connections to
// drain. A newer revision takes over at once, but what the node has not answered
// yet it may have or not have: the way on is safe from both. A node that runs
// with what was served before this server started is led from there. What a node
// rejected is not sent to it again until it changes, and stops no other change
// but the removal of what the node still leads traffic to because of it.
//
// All that an Envoy asks for is served: besides listeners, routes, clusters and
// endpoints also secrets (SDS), runtime layers (RTDS), configurations of filters
// (ECDS), scoped routes (SRDS) and, in delta, virtual hosts (VHDS), on demand too.
// An Envoy that starts does not wait for what does not exist, as far as something
// can stand in for it. What embeds the server may name its versions, say which nodes
// it admits, add services, and fill resources in, such as secrets from files
// (package sds), whose keys are shown nowhere.
//
// A revision may go to chosen nodes first, and to the rest when it is published
// again under its number; each node is led to what is its own. A cluster that
// does not get warm holds Envoy's answer back: the rollout names it, and a newer
// revision without it goes out at once.
//
// The package knows no screen. It shows itself as an immutable State behind an
// atomic pointer; nothing that reads it can slow a stream.
package xds
