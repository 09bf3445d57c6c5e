// Package friends points out the false friends of a mesh: what looks the same in
// nginx.conf and in Envoy and is not, with what was observed of either, and the
// setting that makes Envoy behave as nginx does, where there is one.
package friends
