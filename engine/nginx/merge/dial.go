package merge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// How a connection to an upstream is made is the location's business in nginx, and
// the cluster's in Envoy. A location that says it otherwise than the cluster has it
// is refused: it needs an upstream of its own. One that only does not say it gets
// what the cluster has, and the report tells.

// sameWay reports whether two routes connect alike.
func sameWay(a, b []*clusterv3.Cluster) bool {
	return slices.EqualFunc(a, b, func(x, y *clusterv3.Cluster) bool { return proto.Equal(x, y) })
}

// dials are the directives that say how to connect.
var dials = regexp.MustCompile(`^(?:proxy|grpc)_(?:connect_timeout|bind|ssl_.*)$`)

// connects is why a location cannot connect as it says, "" where it does not say
// it and the report tells what holds.
func (v *verifier) connects(ds []*conf.Directive, want, got []*clusterv3.Cluster) string {
	for i := range min(len(want), len(got)) {
		w, g := want[i], got[i]
		if (w.GetTransportSocket() == nil) != (g.GetTransportSocket() == nil) {
			return fmt.Sprintf("Envoy speaks %s to this upstream wherever it goes to it, and the text %s here", tongue(g), tongue(w))
		}
	}
	var pass *conf.Directive
	for _, d := range ds {
		switch {
		case strings.HasSuffix(d.Name, "_pass"):
			pass = d
		case dials.MatchString(d.Name) && isLocation(parent(d)) && v.touched(d):
			return fmt.Sprintf("%q: how to connect is the cluster's in Envoy, and the same wherever requests go to it", d)
		}
	}
	for i := range min(len(want), len(got)) {
		if len(want[i].GetTypedExtensionProtocolOptions()) != len(got[i].GetTypedExtensionProtocolOptions()) {
			return "Envoy speaks one HTTP to this upstream wherever it goes to it, HTTP/1.1 or HTTP/2, and the text says another here"
		}
	}
	if pass == nil || !v.touched(pass) {
		return "how Envoy connects to an upstream is the same wherever requests go to it, and the edit would change it for other locations too: write an upstream of its own"
	}
	v.change.tell(importer.Entry{Kind: nginx.Approximate, Directive: pass.String(), File: file, Line: pass.Line,
		Reason: "how Envoy connects is the cluster's: " + waysOf(got), Instead: "write an upstream of its own for what is to connect otherwise"})
	return ""
}

// tongue is what a cluster speaks.
func tongue(c *clusterv3.Cluster) string {
	if c.GetTransportSocket() != nil {
		return "TLS"
	}
	return "plain text"
}

// waysOf says how clusters connect, for people.
func waysOf(cs []*clusterv3.Cluster) string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%s, within %s", tongue(c), c.GetConnectTimeout().AsDuration()))
	}
	return strings.Join(slices.Compact(out), "; ")
}
