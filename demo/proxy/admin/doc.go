// Package admin is the built-in proxy's admin interface: the part of Envoy's
// that tells what is active, on the same paths and in the same form, so that
// whoever can read an Envoy can read this proxy.
//
// It tells /ready, /server_info, /clusters, /config_dump, /listeners, /stats and
// /init_dump, with Envoy's own query parameters. It changes nothing: there is no
// /quitquitquit and no /drain_listeners. Keys and passwords are redacted.
//
// Where Envoy and this proxy differ, the page says so: /server_info names the
// built-in proxy and its own version, and a listener that was refused is listed
// once, where Envoy lists it a second time without its name.
package admin
