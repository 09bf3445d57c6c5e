package nginx

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// client is who asks, for a plain reading of Envoy's rules.
type client struct {
	address netip.Addr
	method  string
	known   bool // what nginx cannot see of it
}

func (c client) is(p *rbacv3.Principal) bool {
	switch id := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return true
	case *rbacv3.Principal_AndIds:
		for _, in := range id.AndIds.GetIds() {
			if !c.is(in) {
				return false
			}
		}
		return true
	case *rbacv3.Principal_OrIds:
		for _, in := range id.OrIds.GetIds() {
			if c.is(in) {
				return true
			}
		}
		return false
	case *rbacv3.Principal_NotId:
		return !c.is(id.NotId)
	case *rbacv3.Principal_RemoteIp:
		return netip.MustParsePrefix(fmt.Sprintf("%s/%d", id.RemoteIp.GetAddressPrefix(), id.RemoteIp.GetPrefixLen().GetValue())).Contains(c.address)
	}
	return c.known
}

func (c client) may(p *rbacv3.Permission) bool {
	switch r := p.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return true
	case *rbacv3.Permission_NotRule:
		return !c.may(r.NotRule)
	case *rbacv3.Permission_Header:
		return c.method == "GET" || c.method == "HEAD"
	}
	return c.known
}

func (c client) admitted(r *rbacv3.RBAC) bool {
	fits := false
	for _, p := range r.GetPolicies() {
		fits = fits || c.may(p.GetPermissions()[0]) && c.is(p.GetPrincipals()[0])
	}
	return fits == (r.GetAction() == rbacv3.RBAC_ALLOW)
}

// admits is what nginx does with the lines.
func (a admission) admits(c client) bool {
	if a.only != "" && c.method != "GET" && c.method != "HEAD" {
		return false
	}
	for _, r := range a.rules {
		network, err := netip.ParsePrefix(r.who)
		if ip, one := netip.ParseAddr(r.who); one == nil {
			network, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if r.who == "all" || err == nil && network.Contains(c.address) {
			return r.allow
		}
	}
	return true
}

func randomPrincipal(r *rand.Rand, depth int) *rbacv3.Principal {
	set := func() *rbacv3.Principal_Set {
		out := &rbacv3.Principal_Set{}
		for range 1 + r.IntN(3) {
			out.Ids = append(out.Ids, randomPrincipal(r, depth-1))
		}
		return out
	}
	switch n := r.IntN(12); {
	case depth > 0 && n < 2:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: set()}}
	case depth > 0 && n < 5:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: set()}}
	case depth > 0 && n < 7:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: randomPrincipal(r, depth-1)}}
	case n == 7:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{}}}
	case n == 8:
		return &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}}
	}
	network := []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.168.0.0/16", "0.0.0.0/0", "fd00::/8", "fd00:1::/32"}[r.IntN(8)]
	p := netip.MustParsePrefix(network)
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_RemoteIp{RemoteIp: &corev3.CidrRange{AddressPrefix: p.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(p.Bits()))}}}
}

func randomPermission(r *rand.Rand) *rbacv3.Permission {
	switch r.IntN(8) {
	case 0:
		return &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{}}
	case 1:
		return &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: byMethod("GET|HEAD")}}
	case 2:
		return &rbacv3.Permission{Rule: &rbacv3.Permission_NotRule{NotRule: &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: byMethod("GET|HEAD")}}}}
	}
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}}
}

// TestAccessLetsNobodyInWhomEnvoyRefuses compares the lines with random rules,
// one client at a time: whom Envoy refuses is refused, and where nothing is in
// doubt, whom it lets in is let in.
func TestAccessLetsNobodyInWhomEnvoyRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	var clients []client
	for _, address := range []string{"10.0.0.1", "10.1.0.1", "10.1.2.1", "10.1.2.3", "192.168.1.1", "8.8.8.8", "fd00::1", "fd00:1::1", "2001:db8::1"} {
		for _, method := range []string{"GET", "POST"} {
			for _, known := range []bool{true, false} {
				clients = append(clients, client{netip.MustParseAddr(address), method, known})
			}
		}
	}
	in, certain := 0, 0
	for range 3000 {
		var checks []check
		for range 1 + r.IntN(2) {
			rules := &rbacv3.RBAC{Action: rbacv3.RBAC_Action(r.IntN(2)), Policies: map[string]*rbacv3.Policy{}}
			for i := range r.IntN(4) {
				rules.Policies[fmt.Sprint(i)] = &rbacv3.Policy{Permissions: []*rbacv3.Permission{randomPermission(r)}, Principals: []*rbacv3.Principal{randomPrincipal(r, 3)}}
			}
			checks = append(checks, check{rules, peers{remote: true}})
		}
		a := admit(checks)
		if !a.doubt {
			certain++
		}
		for _, c := range clients {
			envoy := true
			for _, one := range checks {
				envoy = envoy && c.admitted(one.rules)
			}
			switch got := a.admits(c); {
			case got && !envoy:
				t.Fatalf("%v is let in by %v, and Envoy refuses it by %v", c, a, checks)
			case !got && envoy && !a.doubt:
				t.Fatalf("%v is refused by %v, of which nothing is in doubt, and Envoy lets it in by %v", c, a, checks)
			case got:
				in++
			}
		}
	}
	if in < 5000 || certain < 500 {
		t.Errorf("%d were let in, %d of the rules were certain: want more", in, certain)
	}
}

func byMethod(re string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: ":method", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
		MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: re}}}}}
}
