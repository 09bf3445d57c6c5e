// Package nginxtest runs a real nginx in tests: it asks nginx -t, starts nginx
// with a text and reloads it, plays the upstreams, and asks over raw connections,
// so that what nginx does can be held against what we say that it does.
//
// It imports nothing of ours, so that the packages under test may use it.
package nginxtest
