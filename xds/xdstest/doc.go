// Package xdstest plays an xDS client against a management server in tests.
//
// A Stream does exactly what a test says: subscribe, ACK, NACK in given words,
// hold an answer back, skip one, come back holding versions. An Envoy does by
// itself what a real one does: it asks for endpoints when it gets clusters,
// holds the cluster ACK back while one is warming, and asks for listeners and
// routes only then. Both speak SotW and delta, aggregated or one stream a type.
//
// Beside the two, a real Envoy runs for as long as a test does (RunEnvoy), and
// meshes are written in YAML (Mesh).
package xdstest
