package nginx

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// peers says which of Envoy's addresses nginx knows as $remote_addr.
type peers struct{ remote, direct bool }

// truth is what is known of a condition that nginx may not be able to ask.
type truth struct{ surely, maybe bool }

func sure(b bool) truth { return truth{b, b} }

var unknown = truth{false, true}

func (t truth) not() truth { return truth{!t.maybe, !t.surely} }

// all is the truth of a conjunction, none of which is true.
func all(ts []truth) truth {
	out := sure(true)
	for _, t := range ts {
		out = truth{out.surely && t.surely, out.maybe && t.maybe}
	}
	return out
}

// one is the truth of a disjunction, none of which is false.
func one(ts []truth) truth {
	out := sure(false)
	for _, t := range ts {
		out = truth{out.surely || t.surely, out.maybe || t.maybe}
	}
	return out
}

// check is one set of rules that a request must pass.
type check struct {
	rules *rbacv3.RBAC
	peers peers
}

// seen is a request as the rules see it: of an address that lies in at and in
// no narrower network that they name (of none at all where at is not valid),
// and by one of the methods or by another one.
type seen struct {
	at      netip.Prefix
	methods string // the expression of a permission for methods, "" for none
	within  bool
}

// admits says whether the request is let in.
func (c check) admits(a seen) truth {
	var fits []truth
	for _, name := range sortedKeys(c.rules.GetPolicies()) {
		p := c.rules.GetPolicies()[name]
		condition := sure(true)
		if p.GetCondition() != nil || p.GetCheckedCondition() != nil {
			condition = unknown
		}
		fits = append(fits, all([]truth{a.permits(p.GetPermissions()), c.anyone(p.GetPrincipals(), a), condition}))
	}
	switch c.rules.GetAction() {
	case rbacv3.RBAC_ALLOW:
		return one(fits)
	case rbacv3.RBAC_DENY:
		return one(fits).not()
	}
	return sure(true) // LOG
}

func (c check) anyone(ps []*rbacv3.Principal, a seen) truth {
	return one(each(ps, func(p *rbacv3.Principal) truth { return c.who(p, a) }))
}

func each[T any](in []T, f func(T) truth) (out []truth) {
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

func (c check) who(p *rbacv3.Principal, a seen) truth {
	switch id := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return sure(id.Any)
	case *rbacv3.Principal_AndIds:
		return all(each(id.AndIds.GetIds(), func(p *rbacv3.Principal) truth { return c.who(p, a) }))
	case *rbacv3.Principal_OrIds:
		return c.anyone(id.OrIds.GetIds(), a)
	case *rbacv3.Principal_NotId:
		return c.who(id.NotId, a).not()
	case *rbacv3.Principal_RemoteIp:
		return a.lies(id.RemoteIp, c.peers.remote)
	case *rbacv3.Principal_DirectRemoteIp:
		return a.lies(id.DirectRemoteIp, c.peers.direct)
	case *rbacv3.Principal_SourceIp:
		return a.lies(id.SourceIp, c.peers.direct && c.peers.remote) //nolint:staticcheck // files have it
	}
	return unknown
}

// lies says whether the address lies in the network; known says that nginx
// sees that address.
func (a seen) lies(c *corev3.CidrRange, known bool) truth {
	network, ok := prefixOf(c)
	if !ok || !known {
		return unknown
	}
	return sure(a.at.IsValid() && network.Bits() <= a.at.Bits() && network.Contains(a.at.Addr()))
}

func prefixOf(c *corev3.CidrRange) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(c.GetAddressPrefix())
	if err != nil || ip.Zone() != "" || ip.Is4In6() {
		return netip.Prefix{}, false
	}
	p, err := ip.Prefix(int(min(c.GetPrefixLen().GetValue(), 1000)))
	return p, err == nil
}

// permits says whether one of the permissions is for the request.
func (a seen) permits(ps []*rbacv3.Permission) truth { return one(each(ps, a.permit)) }

func (a seen) permit(p *rbacv3.Permission) truth {
	switch r := p.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return sure(r.Any)
	case *rbacv3.Permission_AndRules:
		return all(each(r.AndRules.GetRules(), a.permit))
	case *rbacv3.Permission_OrRules:
		return a.permits(r.OrRules.GetRules())
	case *rbacv3.Permission_NotRule:
		return a.permit(r.NotRule).not()
	case *rbacv3.Permission_Header:
		if re := methodsOf(r.Header); re != "" && re == a.methods {
			return sure(a.within)
		}
	}
	return unknown
}

var methodList = regexp.MustCompile(`^[A-Z]+(?:\|[A-Z]+)*$`)

// limitable are the methods that limit_except knows.
var limitable = strings.Fields("GET HEAD POST PUT DELETE MKCOL COPY MOVE OPTIONS PROPFIND PROPPATCH LOCK UNLOCK PATCH")

// methodsOf is the expression of a matcher for methods that limit_except can
// say; "" for any other. GET is HEAD too in nginx.
func methodsOf(h *routev3.HeaderMatcher) string {
	re := h.GetStringMatch().GetSafeRegex().GetRegex()
	if exact := h.GetStringMatch().GetExact(); exact != "" {
		re = exact
	}
	if h.GetName() != ":method" || h.GetInvertMatch() || h.GetStringMatch().GetIgnoreCase() || !methodList.MatchString(re) {
		return ""
	}
	words := strings.Split(re, "|")
	if slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(limitable, w) }) || slices.Contains(words, "GET") && !slices.Contains(words, "HEAD") {
		return ""
	}
	return re
}

// networks are those that the rules name, in their order, and the first
// expression for methods.
type networks struct {
	all     []netip.Prefix
	methods string
}

func (n *networks) of(c check) {
	for _, name := range sortedKeys(c.rules.GetPolicies()) {
		for _, p := range c.rules.GetPolicies()[name].GetPermissions() {
			n.permission(p)
		}
		for _, p := range c.rules.GetPolicies()[name].GetPrincipals() {
			n.principal(p)
		}
	}
}

func (n *networks) permission(p *rbacv3.Permission) {
	for _, in := range slices.Concat(p.GetAndRules().GetRules(), p.GetOrRules().GetRules()) {
		n.permission(in)
	}
	if not := p.GetNotRule(); not != nil {
		n.permission(not)
	}
	if h := p.GetHeader(); h != nil && n.methods == "" {
		n.methods = methodsOf(h)
	}
}

func (n *networks) principal(p *rbacv3.Principal) {
	for _, in := range slices.Concat(p.GetAndIds().GetIds(), p.GetOrIds().GetIds()) {
		n.principal(in)
	}
	if not := p.GetNotId(); not != nil {
		n.principal(not)
	}
	for _, c := range []*corev3.CidrRange{p.GetRemoteIp(), p.GetDirectRemoteIp(), p.GetSourceIp()} { //nolint:staticcheck // files have it
		if network, ok := prefixOf(c); ok && !slices.Contains(n.all, network) {
			n.all = append(n.all, network)
		}
	}
}

// accessRule is one allow or deny.
type accessRule struct {
	who   string
	allow bool
}

// admission is what allow, deny and limit_except say of some checks together.
type admission struct {
	rules  []accessRule // in nginx's order: the first that fits
	only   string       // limit_except these methods, refusing all others; "" for all methods
	closed bool         // nobody is let in
	doubt  bool         // some are refused whom Envoy may let in
}

// admit says in nginx's words whom all of the checks let in. Where nginx cannot
// ask what a check asks, nobody is let in.
func admit(checks []check) admission {
	n := &networks{}
	for _, c := range checks {
		n.of(c)
	}
	out, doubt := admission{}, false
	decide := func(a seen) bool {
		t := all(each(checks, func(c check) truth { return c.admits(a) }))
		doubt = doubt || t.maybe != t.surely
		return t.surely
	}
	these := func(at netip.Prefix) bool { return decide(seen{at, n.methods, true}) }
	others := func(at netip.Prefix) bool { return n.methods != "" && decide(seen{at, n.methods, false}) }
	everywhere := append(slices.Clone(n.all), netip.Prefix{})
	if n.methods != "" && !slices.ContainsFunc(everywhere, others) {
		out.only = n.methods
		out.rules = list(n.all, these)
	} else {
		out.rules = list(n.all, func(at netip.Prefix) bool { return these(at) && (n.methods == "" || others(at)) })
		out.doubt = n.methods != "" && slices.ContainsFunc(everywhere, func(at netip.Prefix) bool { return these(at) != others(at) })
	}
	out.doubt = out.doubt || doubt
	out.closed = len(out.rules) == 1 && out.rules[0] == accessRule{"all", false}
	return out
}

// list is the decision for each network, a narrower one before those around it.
func list(networks []netip.Prefix, decide func(netip.Prefix) bool) (out []accessRule) {
	otherwise := decide(netip.Prefix{})
	done := map[netip.Prefix]bool{}
	inside := func(a, b netip.Prefix) bool { return a != b && b.Bits() <= a.Bits() && b.Contains(a.Addr()) }
	var put func(netip.Prefix)
	put = func(network netip.Prefix) {
		if done[network] {
			return
		}
		done[network] = true
		around, found := netip.Prefix{}, false
		for _, other := range networks {
			if inside(other, network) {
				put(other)
			}
			if inside(network, other) && (!found || inside(other, around)) {
				around, found = other, true
			}
		}
		if usual := found && decide(around) || !found && otherwise; decide(network) != usual {
			out = append(out, accessRule{networkText(network), decide(network)})
		}
	}
	for _, network := range networks {
		put(network)
	}
	if !otherwise {
		out = append(out, accessRule{"all", false})
	}
	return out
}

// networkText is a network as allow takes it: an address where it is just one.
func networkText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
