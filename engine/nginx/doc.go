// Package nginx says in nginx.conf what a mesh says in Envoy's resources.
//
// Project is pure: it reads a mesh and returns the lines of an nginx.conf, each
// with the resource and field that it mirrors, how exact the likeness is, and
// the one sentence that somebody who knows nginx needs there. What nginx cannot
// say stands as a comment where it would be.
//
//	Listener, filter chain     listen, ssl_certificate
//	VirtualHost                server, server_name
//	Route                      location, in the order that gives Envoy's choice
//	WeightedCluster            split_clients
//	Cluster                    upstream
//	LbEndpoint                 server
//
// Envoy takes the first route that matches, nginx the best location. What
// Envoy never reaches is a comment, so that nginx cannot reach it either; a
// prefix that stands before all expressions gets ^~, one between them holds a copy
// of those before it; what a route asks for besides the path is an if with a
// return, which a named location answers. What nginx does by itself, and Envoy
// only by a route of its own, is a comment. What Envoy does without being told, and
// nginx does otherwise, stands at the end of http {}, below what people look for.
//
// Clusters that speak HTTP/2 are reached by grpc_pass, clusters of DNS names by a
// variable and a resolver, TCP proxies by a stream {} in comments. A port that
// cannot have its certificate refuses the handshake rather than answer in plain
// text. Every field that no line says is named in a comment.
//
// Whom Envoy refuses, nginx does not let in: rules about addresses and methods are
// allow, deny and limit_except, users in a file auth_basic, and where a filter (rbac,
// jwt_authn, ext_authz, basic_auth, oauth2, api_key_auth, csrf, rbac and ext_authz of the
// network) asks what nginx cannot, the location answers 403 to everybody. A script or a
// filter of an unknown kind is taken to guard nothing, and is named in a comment.
//
// A route that refuses, or that more guards than others, and whose match nginx has no
// words for, refuses all of the nearest match around it that nginx can write: its
// requests would come to the next location otherwise. Paths that nginx decodes and
// Envoy does not must not slip past such a route; a line of the server refuses them.
// Where nginx refuses more than Envoy does the head of the text says so. What it
// cannot see at all stays open, and its line says so: a second header of one name, and
// a header without a value.
//
// Nothing that comes from the mesh reaches the text unquoted. What nginx has no
// way to write (a dollar sign where it expands variables, a control character,
// a value beyond its buffer) becomes a comment.
package nginx
