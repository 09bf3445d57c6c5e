package nack

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func unknownCluster(s suspect, m []string) []place {
	var known []string
	for _, c := range s.in.List(mesh.Cluster) {
		known = append(known, c.Key.Name)
	}
	var out []place
	for _, ref := range mesh.References(s.Resource) {
		if ref.To != (mesh.Key{Type: mesh.Cluster, Name: m[1]}) {
			continue
		}
		p := place{path: ref.Path,
			plain: fmt.Sprintf("It sends requests to %s, and there is no such cluster.", m[1]),
			why:   "routes within a listener, and those with validate_clusters, are held against the clusters that the node has",
			hint:  "push a cluster of that name, or name one that there is"}
		if meant := similar(m[1], known); meant != "" {
			p.mend = set("send them to "+meant, ref.Path, meant)
			p.hint = "did you mean " + meant + "?"
		}
		if s.in.Get(ref.To) != nil {
			p.plain = fmt.Sprintf("It sends requests to %s, which the node does not have, though it was pushed.", m[1])
			p.hint = "look whether the node rejected that cluster: what is wrong there is the cause"
			p.mend = nil
		}
		out = append(out, p)
	}
	return out
}

// entry is one domain of a virtual host of a route configuration.
type entry struct {
	host, item int
	path       string
}

func duplicateDomain(s suspect, m []string) []place {
	domain := strings.ToLower(m[1])
	if m[1] == "wildcard" {
		domain = "*"
	}
	var out []place
	each(s.Resource, func(path string, rc *routev3.RouteConfiguration) {
		if name := strings.TrimSuffix(m[2], "."); rc.GetName() != name && name != "" {
			return
		}
		var seen []entry
		for i, vh := range rc.GetVirtualHosts() {
			host := text.Item(text.Field(path, "virtual_hosts"), i)
			for j, d := range vh.GetDomains() {
				if strings.ToLower(d) != domain {
					continue
				}
				seen = append(seen, entry{i, j, text.Item(host+".domains", j)})
				if len(seen) > 1 {
					out = append(out, duplicate(rc, seen[0], seen[len(seen)-1], host, d))
				}
			}
		}
	})
	return out
}

// duplicate is the later one of two entries of a domain.
func duplicate(rc *routev3.RouteConfiguration, first, later entry, host, domain string) place {
	was, now := rc.GetVirtualHosts()[first.host], rc.GetVirtualHosts()[later.host]
	p := place{path: later.path,
		plain: fmt.Sprintf("The domain %s is in the virtual host %s and again in %s.", domain, was.GetName(), now.GetName()),
		why:   "one host name leads to one virtual host; Envoy has no order among them, where nginx would take the first",
		mend:  remove(fmt.Sprintf("delete %s from %s", domain, now.GetName()), later.path)}
	if was == now {
		p.plain = fmt.Sprintf("The domain %s is twice in the virtual host %s.", domain, now.GetName())
		p.mend.says = "delete the second entry of " + domain
	}
	p.hint = p.mend.says
	if len(now.GetDomains()) == 1 {
		p.mend = remove(fmt.Sprintf("delete the virtual host %s, which has no other domain", now.GetName()), host)
		p.hint = "put its routes into the virtual host " + was.GetName() + ", give it another domain, or delete it"
	}
	return p
}

func noWeight(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, w *routev3.WeightedCluster) {
		sum := uint32(0)
		for _, c := range w.GetClusters() {
			sum += c.GetWeight().GetValue()
		}
		if sum > 0 || len(w.GetClusters()) == 0 {
			return
		}
		says := "give each cluster the weight 1"
		out = append(out, place{path: text.Field(path, "clusters"),
			plain: "The weights of these clusters are all 0.",
			why:   "a weight is a share of the sum, and of nothing there are no shares",
			hint:  says,
			mend: &mending{says, func(in string) (string, error) {
				return edits(in, len(w.GetClusters()), func(in string, i int) (string, error) {
					return text.Set(in, text.Item(path+".clusters", i)+".weight", 1)
				})
			}}})
	})
	return out
}

// edits makes several edits, one after the other; the first that fails ends them.
func edits(in string, n int, edit func(in string, i int) (string, error)) (string, error) {
	out := in
	for i := range n {
		var err error
		if out, err = edit(out, i); err != nil {
			return in, err
		}
	}
	return out, nil
}

// missingField finds the message that lacks a field which it must have. The text
// has the message, and that may have a name.
func missingField(s suspect, m []string) []place {
	name, _ := nameIn(m[2])
	var out []place
	walk("", s.Message.ProtoReflect(), func(path string, msg proto.Message) {
		fd := msg.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(m[1]))
		if fd == nil || msg.ProtoReflect().Has(fd) {
			return
		}
		if named, ok := msg.(interface{ GetName() string }); ok && name != "" && named.GetName() != name {
			return
		}
		p := place{path: text.Field(path, m[1]), plain: m[1] + " is missing.", hint: "add " + m[1]}
		if name != "" {
			p.plain = fmt.Sprintf("%s of %s is missing.", m[1], name)
		}
		if w, ok := msg.(*routev3.WeightedCluster_ClusterWeight); ok && m[1] == "weight" {
			share := s.share(text.Parent(text.Parent(path)))
			p.plain = fmt.Sprintf("The cluster %s has no weight.", w.GetName())
			p.why = "among weighted clusters each one needs its share; there is no default"
			p.mend = set(fmt.Sprintf("give %s the weight %d", w.GetName(), share), p.path, share)
			p.hint = p.mend.says
		}
		out = append(out, p)
	})
	return out
}

// share is what the other clusters leave of 100; 1 when that is nothing.
func (s suspect) share(path string) uint32 {
	left := uint32(1)
	each(s.Resource, func(at string, w *routev3.WeightedCluster) {
		if at != path {
			return
		}
		sum, without := uint32(0), uint32(0)
		for _, c := range w.GetClusters() {
			if c.GetWeight() == nil {
				without++
			}
			sum += c.GetWeight().GetValue()
		}
		if sum < 100 && sum > 0 && without > 0 {
			left = (100 - sum) / without
		}
	})
	return max(left, 1)
}

// overADS is a config source that means the stream on which the node asks anyway.
var overADS = map[string]any{"ads": map[string]any{}, "resource_api_version": "V3"}

func routesNotByADS(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, rds *hcmv3.Rds) {
		if fromADS(rds.GetConfigSource()) {
			return
		}
		at := text.Field(path, "config_source")
		out = append(out, place{path: at, plain: "The routes are to come from elsewhere than ADS.",
			why:  oneStream,
			hint: "set config_source to ads: {}", mend: set("set config_source to ads: {}", at, overADS)})
	})
	return out
}

func fromADS(c *corev3.ConfigSource) bool { return c.GetAds() != nil || c.GetSelf() != nil }

func noRouteSpecifier(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, m *hcmv3.HttpConnectionManager) {
		if m.GetRouteSpecifier() != nil {
			return
		}
		p := place{path: path, plain: "The http_connection_manager says nothing about routes.",
			why:  "without rds or route_config nobody knows where a request goes",
			hint: "add rds: {route_config_name: …, config_source: {ads: {}}} or a route_config"}
		if name := s.onlyRoute(); name != "" {
			p.mend = set("take the routes "+name, text.Field(path, "rds"), map[string]any{"route_config_name": name, "config_source": overADS})
		}
		out = append(out, p)
	})
	return out
}

func noRouteName(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, rds *hcmv3.Rds) {
		if rds.GetRouteConfigName() != "" {
			return
		}
		p := place{path: text.Field(path, "route_config_name"), plain: "rds does not say which routes are wanted.",
			hint: "write the name of a route configuration"}
		if name := s.onlyRoute(); name != "" {
			p.mend = set("take the routes "+name, p.path, name)
			p.hint = p.mend.says
		}
		out = append(out, p)
	})
	return out
}

func noMatch(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, r *routev3.Route) {
		if r.GetMatch().GetPathSpecifier() != nil {
			return
		}
		at := text.Field(path, "match")
		out = append(out, place{path: at, plain: "The route does not say which paths it takes.",
			why: "a match needs one of prefix, path, safe_regex and the like, whatever else it asks for", hint: `prefix: "/" takes every path`,
			mend: set(`match every path: prefix "/"`, text.Field(at, "prefix"), "/")})
	})
	return out
}

// isAPI reports whether a listener is one for gRPC clients, which listens nowhere.
func isAPI(r *mesh.Resource) bool {
	l, ok := r.Message.(*listenerv3.Listener)
	return ok && l.GetApiListener() != nil
}
