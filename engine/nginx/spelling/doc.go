// Package spelling says in which ways a client may write a path that nginx reads
// as one and the same.
//
// nginx decodes %XX, merges slashes and resolves dot segments before it looks for
// a location. Envoy matches the path as its connection manager has normalised it
// (normalize_path, merge_slashes, escaped slashes kept): plain dot segments and
// double slashes are gone and the bytes that RFC 3986 calls unreserved are
// decoded, but every other %XX stands there as it was sent. What must not be
// passed by with another spelling is matched with the expressions of this package.
//
// They take each spelling but three, which Hidden finds: a dot segment beside an
// escaped slash, an escaped newline (PCRE's $ matches before the last one, and its
// dot takes none), and what is no path at all.
package spelling
