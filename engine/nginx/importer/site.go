package importer

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// site is one address that is listened on, with its servers in file order. It
// becomes one listener and one route configuration.
type site struct {
	address  *corev3.Address
	name     string // of the listener and of the route configuration
	port     uint32 // 0 for a unix socket
	pipe     bool
	servers  []*server
	first    *server         // the default server: the one that says so, else the first
	believer *conf.Directive // whose set_real_ip_from and real_ip_header the listener has
	listener *listenerv3.Listener
	manager  *hcmv3.HttpConnectionManager
	routes   *routev3.RouteConfiguration
	of       map[*routev3.VirtualHost]*server // whose virtual host it is
	merge    *conf.Directive                  // merge_slashes of the default server, nil for nginx's own
}

// server is one server block, at one of the addresses that it listens on.
type server struct {
	d      *conf.Directive
	listen *conf.Directive // nil where nginx listens on 80 by itself
	names  []string        // lower case; "" is a request without Host, "~re" an expression
	tls    bool
	own    *tlsv3.DownstreamTlsContext // how it would shake hands; nil for not at all
}

// form is how a location is found.
type form uint8

const (
	byPrefix form = iota + 1 // location /x, location ^~ /x
	byPath                   // location = /x
	byRegex                  // location ~ x, location ~* x
)

// found says which location takes a path, and so what a proxy_pass with a URI
// replaces.
type found struct {
	form form
	text string // the location's name
	fold bool   // of an expression: without case
}
