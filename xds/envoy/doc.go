// Package envoy finds, downloads, starts and watches local Envoys, and reads
// their admin interface.
//
// It knows processes and HTTP, nothing of xDS streams: what an Envoy was served
// is handed to it, so that it can say what of that is active. What it learns is
// shown as immutable Facts, one a node, each with its age.
package envoy
