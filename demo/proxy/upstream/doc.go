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
// sentence that names the field; nothing is ignored in silence but what has no
// effect here (metadata, statistics names, watermarks).
package upstream
