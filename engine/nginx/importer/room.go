package importer

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx/conf"
)

// nginx looks things up while a request is there: the map, the addresses that are
// denied, the expressions of an outer block. Envoy has them written out in each
// route that asks, so that a short file may say a mesh without end: maps times
// conditions times locations, expressions within expressions. An import has room
// for so many bytes of Envoy's resources, and more for a longer file; a server
// whose routes find none any more lets nobody in.
const (
	leastRoom = 16 << 20 // bytes of an import, whatever the file
	roomEach  = 2 << 10  // more of them for each directive
	siteCost  = 4 << 10  // what a listener costs, with a route configuration and its servers' names
	stepCost  = 16       // what following a directive costs, even if nothing comes of it
)

// roomFor is the room that a file has.
func roomFor(c *conf.Config) int {
	room := leastRoom
	for range c.All() {
		room += roomEach
	}
	return room
}

// spend takes from the room.
func (im *importer) spend(n int) { im.room -= n }

// full reports whether there is no room left. Whoever makes much of little asks,
// and stops; what has been made until then is thrown away by whoever asked for
// all of it.
func (im *importer) full() bool { return im.room < 0 }

// spendOn takes a message's room.
func (im *importer) spendOn(m proto.Message) { im.spend(proto.Size(m)) }

// tooMuch closes a server that there was no room for.
func (w *writer) tooMuch() []*routev3.Route {
	w.none(w.server.d, fmt.Sprintf("its maps, conditions and expressions multiply out into more routes than are made of a file of this length (%d MiB): all its requests are refused (403)", w.space>>20),
		"say with a table of a service's own (ext_authz) what a map of many values says, or give the listener one rbac filter for long lists of addresses")
	return []*routev3.Route{{Name: "server", Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}, Action: direct(403, "")}}
}
