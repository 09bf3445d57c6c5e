package routes

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// mirroring is the policies of the innermost level that has any; they are not
// merged.
type mirroring struct {
	policies []*routev3.RouteAction_RequestMirrorPolicy
	level    Level
	path     string // of the message that holds them, with a dot behind
}

func (p policies) mirroring(t *Table, h Hit) mirroring {
	for _, m := range []mirroring{
		{p.cluster.GetRequestMirrorPolicies(), OfCluster, clusterPolicies + "."},
		{h.Route.GetRoute().GetRequestMirrorPolicies(), OfRoute, p.route + "."},
		{h.VirtualHost.GetRequestMirrorPolicies(), OfVirtualHost, p.host + "."},
	} {
		if len(m.policies) > 0 {
			return m
		}
	}
	return mirroring{t.source.GetRequestMirrorPolicies(), OfConfig, ""}
}

// mirrors adds where copies of the request go, and returns the clusters that may
// get one: a policy that lets none out, or that names no cluster, is a setting and
// no mirror.
func (s *settingList) mirrors(m mirroring, changed func(header string) bool, v *view) []Mirror {
	var out []Mirror
	for i, p := range m.policies {
		to := Mirror{Cluster: p.GetCluster(), Level: m.level, Path: fmt.Sprintf("%srequest_mirror_policies[%d]", m.path, i)}
		said, goes := to.Cluster, true
		if to.Cluster == "" {
			to.Header = p.GetClusterHeader()
			unknown := changed(to.Header)
			to.Cluster, said = mirrorNamed(to.Header, unknown, v)
			goes = unknown || to.Cluster != ""
		}
		if f := compileFraction(p.GetRuntimeFraction()); f != nil {
			n, d := f.share(v)
			goes, said = goes && n > 0, percent(n, d)+" to "+said
		}
		if goes {
			out = append(out, to)
		}
		s.add("mirror", said, to.Level, to.Path)
	}
	return out
}

// mirrorNamed is the cluster that a request header names, and how to say it.
// Envoy asks the headers as they are sent upstream.
func mirrorNamed(header string, changed bool, v *view) (cluster, said string) {
	if changed {
		return "", "the cluster that header " + header + " names, which is changed before"
	}
	if cluster, _ = v.first(lower(header)); cluster == "" {
		return "", "no cluster, as header " + header + " is absent"
	}
	return cluster, cluster + ", by header " + header
}
