// Package probe sends one request to a listener on this machine, byte for byte
// as it is told, and says what came back. With the counters of the proxy's
// admin interface before and after, it says who was asked, too.
//
// It is how a predicted way is held against the way that a request really
// takes.
package probe
