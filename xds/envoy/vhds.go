package envoy

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// Envoy shows virtual hosts that came by VHDS within the route configuration
// that they joined, beside those that came with it.

// withoutVirtualHosts is a shown route configuration less the virtual hosts that
// joined it; other messages stay as they are.
func withoutVirtualHosts(served, shown proto.Message) proto.Message {
	ours, ok := served.(*routev3.RouteConfiguration)
	theirs, ok2 := shown.(*routev3.RouteConfiguration)
	if !ok || !ok2 || ours.GetVhds() == nil {
		return shown
	}
	inline := map[string]bool{}
	for _, vh := range ours.GetVirtualHosts() {
		inline[vh.GetName()] = true
	}
	out := proto.CloneOf(theirs)
	out.VirtualHosts = slices.DeleteFunc(out.VirtualHosts, func(vh *routev3.VirtualHost) bool { return !inline[vh.GetName()] })
	return out
}

// virtualHost compares a virtual host with the one of its name in the routes
// that take virtual hosts by VHDS.
func (o observed) virtualHost(served *routev3.VirtualHost) Active {
	d := o.dumps[mesh.VirtualHost]
	if d == nil {
		return Active{State: NotObservable}
	}
	for _, name := range sortedKeys(d.active) {
		r, ok := d.active[name].Message.(*routev3.RouteConfiguration)
		if !ok || r.GetVhds() == nil {
			continue
		}
		for _, vh := range r.GetVirtualHosts() {
			if vh.GetName() != served.GetName() {
				continue
			}
			if where := Difference(served, vh); where != "" {
				return Active{State: ActiveOther, Detail: "differs in " + where, Instead: vh}
			}
			return Active{State: ActiveSame}
		}
	}
	return Active{State: Absent, Detail: "no route configuration has taken it"}
}
