// Package forward answers HTTP requests as an Envoy with the same configuration
// would: it asks package match for the way, answers itself what Envoy answers
// itself, and hands the rest to a cluster.
//
// It is held against a real Envoy, request by request: status, headers and body
// that the client gets, and what the backend sees. The files follow a request:
// handler, header (as the connection manager leaves them), manager (what its
// filters come to), mutate (what the levels of the configuration change), policy
// (timeouts, retries), hash, mirror, forward, respond; answer is what the proxy
// says itself.
//
// Where an Envoy says "server: envoy" this proxy says "server: meshtui". Other
// differences come from net/http, which reads and writes the bytes:
//
//   - A request line or a Host that net/http does not take, and HTTP/1.1 without
//     a Host, is answered 400 by it, with a body of its own.
//   - Names of headers are written as Go writes them (X-Request-Id) where an
//     Envoy writes them in lower case.
//   - Trailers of HTTP/1 are announced only where enable_trailers is set.
//   - A gRPC client gets a content-length of 0 with an error of the proxy's own.
//   - The answer of the health check filter does not name the node's cluster
//     (x-envoy-upstream-healthchecked-cluster).
//   - A mirrored request is sent once the body of the original has gone upstream,
//     and not at all when that is longer than 1 MiB.
package forward
