// Package upstream is the built-in proxy's side towards the backends: clusters
// with their endpoints, load balancing, health checks, ejection, circuit
// breakers, timeouts and retries, as Envoy does them.
//
// A Cluster is made of an Envoy v3 Cluster and, for EDS, of the endpoints that
// it is assigned. Its hosts and their health stand in one place under one lock;
// whenever they change, an immutable view is made of them from which requests
// are balanced without that lock. Each host has a connection pool of its own for
// each routing priority, so that a host that goes takes its idle connections
// along and a circuit breaker counts what it limits.
//
// What is not done is refused by Check, CheckAssignment and CheckRetry, with a
// sentence that names the field. Taken without effect are, in silence, what
// changes no answer: metadata, statistics names, watermarks, where and what is
// logged of health checks, how large the windows and tables of HTTP/2 are and
// how much of its frames is borne, and what protocol options say of reading
// requests.
//
// It is held against a real Envoy, failure by failure: status, body, flags,
// attempts and counters. What still differs comes from net/http, which reads and
// writes the bytes:
//
//   - An answer whose status is below 100 is a protocol error over HTTP/2 as it is
//     over HTTP/1; an Envoy was seen to send one on over HTTP/2.
//   - An answer of HTTP/1 that is refused for its headers alone, and has no body,
//     leaves its connection open, which an Envoy closes.
//   - Of the headers that an answer may have 100 of, a Trailer is not counted.
//   - Idempotency-Key and X-Idempotency-Key are written in lower case, as an Envoy
//     writes every name; the others as Go writes them.
package upstream
