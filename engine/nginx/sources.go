package nginx

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	"google.golang.org/protobuf/proto"
)

// sources are the addresses that a filter chain is for, as a check that the
// others do not pass: Envoy closes their connections, or has another chain for
// them.
func (c chain) sources() (out []guard) {
	match := c.GetFilterChainMatch()
	o := c.origin.at("filter_chain_match")
	for _, one := range []struct {
		field string
		of    []*corev3.CidrRange
		who   func(*corev3.CidrRange) *rbacv3.Principal
	}{
		{"source_prefix_ranges", match.GetSourcePrefixRanges(), func(c *corev3.CidrRange) *rbacv3.Principal {
			return &rbacv3.Principal{Identifier: &rbacv3.Principal_SourceIp{SourceIp: c}} //nolint:staticcheck // it is the connection's own
		}},
		{"direct_source_prefix_ranges", match.GetDirectSourcePrefixRanges(), func(c *corev3.CidrRange) *rbacv3.Principal {
			return &rbacv3.Principal{Identifier: &rbacv3.Principal_DirectRemoteIp{DirectRemoteIp: c}}
		}},
	} {
		if len(one.of) == 0 {
			continue
		}
		policy := &rbacv3.Policy{Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}}}
		for _, network := range one.of {
			policy.Principals = append(policy.Principals, one.who(network))
		}
		out = append(out, guard{from: o.at(one.field), check: &check{rules: &rbacv3.RBAC{Policies: map[string]*rbacv3.Policy{"sources": policy}}}})
	}
	if match.GetSourceType() != 0 {
		out = append(out, guard{from: o.at("source_type"), lesson: lessonSources})
	}
	if len(match.GetSourcePorts()) > 0 {
		out = append(out, guard{from: o.at("source_ports"), lesson: lessonSources})
	}
	return out
}

// narrower are the clients of other chains, as checks that they do not pass: of the
// chains for a name Envoy takes the one for the narrowest network around a client,
// and nginx knows one server for the name.
func (c chain) narrower(all []chain) (out []guard) {
	own := c.networks()
	for _, other := range all {
		if other.FilterChain == c.FilterChain || !sharesNames(c, other) || c.doesAs(other) {
			continue
		}
		policy := &rbacv3.Policy{Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}}}
		for _, network := range other.networks() {
			policy.Principals = append(policy.Principals, without(network, own))
		}
		if len(policy.GetPrincipals()) > 0 {
			out = append(out, guard{from: other.origin.at("filter_chain_match"),
				check: &check{rules: &rbacv3.RBAC{Action: rbacv3.RBAC_DENY, Policies: map[string]*rbacv3.Policy{"other chain": policy}}}})
		}
	}
	return out
}

// networks are those that a chain is for, by the connection's own address.
func (c chain) networks() []*corev3.CidrRange {
	m := c.GetFilterChainMatch()
	return slices.Concat(m.GetDirectSourcePrefixRanges(), m.GetSourcePrefixRanges())
}

// without is who comes from a network, and from no narrower one of the others.
func without(network *corev3.CidrRange, others []*corev3.CidrRange) *rbacv3.Principal {
	from := func(n *corev3.CidrRange) *rbacv3.Principal {
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_SourceIp{SourceIp: n}} //nolint:staticcheck // it is the connection's own
	}
	ids := []*rbacv3.Principal{from(network)}
	for _, n := range others {
		if n.GetPrefixLen().GetValue() >= network.GetPrefixLen().GetValue() {
			ids = append(ids, &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: from(n)}})
		}
	}
	if len(ids) == 1 {
		return ids[0]
	}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: ids}}}
}

// sharesNames reports whether the two chains are for the same names in the handshake.
func sharesNames(a, b chain) bool {
	m, n := a.GetFilterChainMatch().GetServerNames(), b.GetFilterChainMatch().GetServerNames()
	return len(m) == 0 && len(n) == 0 || slices.ContainsFunc(m, func(name string) bool { return slices.Contains(n, name) })
}

// doesAs reports whether the two chains do the same with whom they take.
func (c chain) doesAs(other chain) bool {
	a, b := proto.CloneOf(c.FilterChain), proto.CloneOf(other.FilterChain)
	a.Name, b.Name, a.FilterChainMatch, b.FilterChainMatch = "", "", nil, nil
	return proto.Equal(a, b)
}
