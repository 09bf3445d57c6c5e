// Package predict says what nginx does with a request: which server and which
// location of an nginx.conf take it, why not the others, and what is answered or
// sent upstream.
//
// It follows nginx 1.22, measured: names before wildcards before expressions,
// the URI decoded and cleaned before locations are compared, the longest prefix,
// `^~`, expressions of the innermost scope first, the redirect to a trailing
// slash. It is pure; tests hold it against a real nginx.
package predict
