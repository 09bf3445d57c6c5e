// Package contest makes the same change in both worlds while clients are
// connected: a real nginx is given a new nginx.conf and reloaded, and an Envoy is
// pushed the resources. It measures on each side what that did: bytes, processes,
// connections that the server closed, the time to the first new answer, requests
// that failed, and what a slow request and an upgraded connection felt.
//
// Both sides get the same clients at the same rate, begin in the same moment, and
// are asked the same way. Nothing is slowed down on either side.
package contest
