// Package sample makes up requests that a given route would take: what stands in
// the tester's form before anybody has typed, and what a change is tried on.
//
// A Sampler works from the route configuration and the filter chain that leads
// to it. Among the requests that a route could take it looks for one that no
// other takes before it. Where there is none the request still fits the route by
// itself, so that the matcher can say who takes it instead.
//
// No request is made, or none that is sure to arrive, for a route that
//   - can match nothing: an empty range, a fraction of 0, conditions that exclude
//     each other, an expression that no path fits;
//   - asks for what only filters of the proxy set: dynamic metadata, filter state,
//     runtime keys;
//   - asks for TLS or a client certificate behind a filter chain in plain text;
//   - is decided by an extension, as a custom string matcher or a matcher tree;
//   - asks for text that no request can carry where it looks for it: blanks in a
//     path, a query in a path expression;
//   - takes CONNECT where no domain takes a Host with a port, which only a
//     connection manager that strips the port makes good;
//   - stands behind a filter chain that another one of the listener comes before,
//     or behind a connection manager that changes just what the route looks at.
package sample
