// Package forward answers HTTP requests as an Envoy with the same configuration
// would: it asks package match for the way, answers itself what Envoy answers
// itself, and hands the rest to a cluster.
package forward
