// Package envoy finds, downloads, starts and watches local Envoys, and reads
// their admin interface.
//
// It knows processes and HTTP, nothing of xDS streams: what an Envoy was served
// is handed to it, so that it can say what of that is active. What it learns is
// shown as immutable Facts, one a node, each with its age.
//
//   - Find and Download give a Binary; its Validate lets Envoy check a bootstrap.
//   - Bootstrap writes what an Envoy needs to take its configuration from meshtui.
//   - StartFleet keeps a number of Envoys running, each with a pipe through which
//     it tells its health and outlier events; FleetOptions.Overlay is what must be
//     added to the resources that each of them is served.
//   - A Watcher polls each Envoy, joins what it says with those events and with
//     what was served (join, judge, compare: pure functions), and keeps Facts: of
//     every type what is active, what is there instead and where that came from,
//     and what went through it. A node that is no Envoy is looked into by a Looker
//     (xds/csds has one for gRPC clients).
package envoy
