// Package forward answers HTTP requests as an Envoy with the same configuration
// would: it asks package match for the way, answers itself what Envoy answers
// itself, and hands the rest to a cluster.
//
// It is held against a real Envoy, request by request: status, headers and body
// that the client gets, whether its connection goes on, and what the backend
// sees. The files follow a request: handler, client (its body, and its patience),
// header (as the connection manager leaves them), manager (what its filters come
// to), mutate (what the levels of the configuration change), policy (timeouts,
// retries), hash, mirror, forward, respond; answer is what the proxy
// says itself.
//
// Where an Envoy says "server: envoy" this proxy says "server: meshtui". Other
// differences come from net/http, which reads and writes the bytes. Of requests:
//
//   - A request line or a Host that net/http does not take, and HTTP/1.1 without
//     a Host, is answered 400 by it, with a body of its own; an "Expect" other
//     than 100-continue is answered 417, where an Envoy passes it on.
//   - Transfer-Encoding together with Content-Length, and the same Content-Length
//     twice, reach the backend as one of them. An Envoy refuses both with 400.
//   - An upgrade of a request that has a body sends the body first; to an Envoy
//     all that follows the headers is the upgraded stream.
//   - An answer that comes before all of a body was read closes the connection,
//     as an Envoy does. What counts as read is what was sent on, so a body that
//     no backend could be found for counts as unread.
//
// Of answers, beside what package upstream tells of those of backends:
//
//   - Names of headers are written as Go writes them (X-Request-Id) where an
//     Envoy writes them in lower case. HEAD is not told of a transfer-encoding.
//   - Trailers pass as with an Envoy: in HTTP/2, and in HTTP/1 where the
//     connection manager, or the cluster, has enable_trailers. The header Trailer
//     that announces those that a cluster drops goes with them; an Envoy keeps it.
//   - A gRPC client gets a content-length of 0 with an error of the proxy's own.
//
// And of its own doing:
//
//   - The answer of the health check filter does not name the node's cluster
//     (x-envoy-upstream-healthchecked-cluster).
//   - The cookie of a hash policy is given whether or not the cluster's balancer
//     looks at hashes; an Envoy gives it only then.
//   - A mirrored request is sent once the body of the original has gone upstream,
//     and not at all when that is longer than 1 MiB.
package forward
