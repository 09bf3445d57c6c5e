// Package twin runs a real nginx beside the local Envoys: it takes the nginx.conf
// that says what is live, on ports of its own on loopback, is reloaded with each
// push, and answers the same requests. It is how "nginx would do the same" is
// held against an nginx.
//
// The text is that of engine/nginx, but for what one machine asks for: listeners
// move (see places), there is one worker, as each local Envoy has one, and what
// is for the stream module stands there as directives where nginx has it. A text
// that nginx refuses is told in nginx's own words, and the last good one goes on.
package twin
