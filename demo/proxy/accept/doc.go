// Package accept says of a resource whether the built-in proxy does all that it
// asks for. What it does not do is refused with a sentence that names the field,
// so that nothing is done by halves in silence.
//
// The tables list every field that is done. A few fields are taken and left
// out, because no client can tell the difference: names of statistics, access
// logs and tracing, metadata, limits of buffers and sockets, what concerns the
// bytes of HTTP/2 rather than what they say. Envoy's own rules for values are
// checked first and worded as Envoy words them.
//
// What it does is HTTP in clear text: a listener with TLS, or one that passes
// bytes on, is refused, and so is every secret. Of the HTTP filters it runs the
// router and the health check that is answered here.
//
// What is read differently from an Envoy:
//
//   - There is no runtime: where a field has a runtime key, its default counts.
//   - One server reads all connections of a listener, before their filter chain
//     is known: its connection managers must agree on what that server does
//     (codec, idle timeout, limits of headers and streams).
//   - A connection manager without any filter is refused; an Envoy takes it, and
//     every request hangs.
//   - Clusters and endpoints are checked by package upstream, which does them.
package accept
