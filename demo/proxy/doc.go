// Package proxy is the built-in proxy: a data plane that runs in this process,
// where no Envoy can be had. It calls itself "built-in proxy", never Envoy.
//
// A Fleet is a number of nodes, started, watched and stopped like local Envoys.
// A node asks the control plane over xDS (package client), accepts what it can do
// and refuses the rest with a sentence (package accept), and does what it
// accepted: clusters towards the backends (package upstream), HTTP on listeners
// (package forward), an admin interface in Envoy's form (package admin). Which
// route takes a request is the matcher's decision, the one that the route tester
// shows.
//
// It does with what it is sent what a real Envoy does, with these choices:
//
//   - A cluster warms before it is used: its endpoints are known, and every one
//     was checked once. The old one serves meanwhile. The ACK of clusters comes
//     when those that it brought are warm, replaced or gone; listeners, routes
//     and endpoints are answered at once.
//   - A changed cluster takes the endpoints that are known already: it need not
//     be sent them again, as Envoy must.
//   - Clusters and listeners are applied one by one, and what is wrong is told
//     together: the good are in use and the NACK names the others. Routes and
//     endpoints are applied in order up to the first that is wrong. A response
//     that cannot be read is refused as a whole.
//   - A listener warms until its routes are there. It takes its port when it is
//     accepted, so that a port that is taken is refused at once; who connects to
//     one that is warming waits.
//   - A cluster that was removed is found for a quarter of a second more, by
//     requests that chose it the moment before.
//   - A listener that follows another on the same address takes over its socket,
//     so that no connection is refused, whatever the two are called; one with
//     several addresses serves until all are taken over. The one before drains:
//     its connections end with the next answer, the idle ones after two seconds,
//     and what is under way may end. In HTTP/2 a GOAWAY that refuses nothing goes
//     before the final one, so that no request on its way is lost.
//   - An answer does not wait for the rest of its request; the connection ends
//     after it. A panic costs the request that it happens in.
package proxy
