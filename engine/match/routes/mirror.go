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

func (t *Table) mirroring(h Hit, at fieldPaths) mirroring {
	for _, m := range []mirroring{
		{h.Route.GetRoute().GetRequestMirrorPolicies(), OfRoute, at.route + "."},
		{h.VirtualHost.GetRequestMirrorPolicies(), OfVirtualHost, at.host + "."},
	} {
		if len(m.policies) > 0 {
			return m
		}
	}
	return mirroring{t.source.GetRequestMirrorPolicies(), OfConfig, ""}
}

// mirrors adds where copies of the request go, and returns the clusters that may
// get one: a policy that lets none out is a setting and no mirror.
func (s *settingList) mirrors(m mirroring, changed func(header string) bool, v *view) []Mirror {
	var out []Mirror
	for i, p := range m.policies {
		to := Mirror{Cluster: p.GetCluster(), Level: m.level, Path: fmt.Sprintf("%srequest_mirror_policies[%d]", m.path, i)}
		said := to.Cluster
		if to.Cluster == "" {
			to.Header = p.GetClusterHeader()
			to.Cluster, said = mirrorNamed(to.Header, changed(to.Header), v)
		}
		open := true
		if f := compileFraction(p.GetRuntimeFraction()); f != nil {
			n, d := f.share(v)
			open, said = n > 0, percent(n, d)+" to "+said
		}
		if open {
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
