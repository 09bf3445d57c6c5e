// Package importer says in Envoy's resources what an nginx.conf says.
//
// Import is pure. It makes one Listener and one RouteConfiguration for each
// address that is listened on, a virtual host for each server, routes in the
// order that gives Envoy nginx's choice, a cluster and its endpoints for each
// upstream. What has no counterpart, or only an approximate one, is in the
// report with its place, the reason and what to do instead. Every directive of
// the file is accounted for: what no part of the importer claims is reported as
// not carried over, so that nothing is dropped silently.
//
//	listen, http2, proxy_protocol       listen.go
//	server, server_name                 host.go
//	location                            order.go, location.go
//	return, rewrite, proxy_pass's URI   action.go
//	what nginx refuses by itself        guard.go
//	upstream, server                    upstream.go, balance.go, passive.go
//	where a pass leads, and how         target.go, split.go, dial.go, upstreamtls.go
//	timeouts, next upstream, headers    forward.go, proxyheader.go, trifle.go, mirror.go
//	one location as several routes      spread.go
//	add_header, limits, access, bodies  answer.go, limit.go, gate.go, body.go
//	the connection manager, its logs    filter.go, client.go, ownanswer.go, log.go
//	whom a block believes, and may      realip.go
//	headers that routes see otherwise   unseen.go, repeated.go
//	a path in other letters             spelled.go (with package spelling)
//	who shook hands with another server clients.go
//	what a rewrite would lead past      aside.go
//	variables                           variable.go, cases.go, table.go
//	if, and what it asks                script.go, branch.go, condition.go, predicate.go
//	how much one file may say           room.go
//	what changes nothing, what is none  moot.go, moots.go, verdict.go
//	ssl_*                               tls.go
//	stream                              stream.go
package importer
