package routes

import (
	"fmt"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// settings notes the policies in force for a request that is forwarded, each
// with the level that it comes from.
func (t *Table) settings(out *Outcome, h Hit, p policies, v *view) {
	a, vh := h.Route.GetRoute(), h.VirtualHost
	s := settingList{}
	s.retry(p.retrying(h), s.timeouts(a, p.route, v), v)
	s.hedge(a, vh, p)
	s.hash(p.hashing(a))
	out.Mirrors = s.mirrors(p.mirroring(t, h), func(name string) bool { return t.changes(name, h, out.Weight) }, v)
	s.others(a, vh, p)
	out.Settings = s
}

type settingList []Setting

func (s *settingList) add(name, value string, level Level, path string) {
	*s = append(*s, Setting{Name: name, Value: value, Level: level, Path: path})
}

// timeouts are the bounds on the whole exchange. It returns the one that bounds
// each try too, 0 without one.
func (s *settingList) timeouts(a *routev3.RouteAction, at string, v *view) (whole time.Duration) {
	longest := a.GetMaxStreamDuration()
	asked, told := v.milliseconds("x-envoy-upstream-rq-timeout-ms")
	switch {
	case told:
		whole = asked
		s.add("timeout", bound(whole), OfRequest, "x-envoy-upstream-rq-timeout-ms")
	case longest != nil:
		// Envoy turns its timeout off for a route with the newer setting.
		s.add("timeout", "none, as max_stream_duration is set", OfRoute, at+".max_stream_duration")
	case a.GetTimeout() != nil:
		whole = a.GetTimeout().AsDuration()
		s.add("timeout", bound(whole), OfRoute, at+".timeout")
	default:
		whole = 15 * time.Second
		s.add("timeout", bound(whole), Default, "")
	}
	for _, one := range []struct {
		name, field string
		d           *durationpb.Duration
	}{
		{"idle timeout", "idle_timeout", a.GetIdleTimeout()},
		{"flush timeout", "flush_timeout", a.GetFlushTimeout()},
		{"longest stream", "max_stream_duration.max_stream_duration", longest.GetMaxStreamDuration()},
		{"longest grpc-timeout", "max_stream_duration.grpc_timeout_header_max", longest.GetGrpcTimeoutHeaderMax()},
		{"longest grpc-timeout", "max_grpc_timeout", a.GetMaxGrpcTimeout()},
	} {
		if one.d != nil {
			s.add(one.name, bound(one.d.AsDuration()), OfRoute, at+"."+one.field)
		}
	}
	if !told && a.GetMaxGrpcTimeout() != nil && v.grpc() {
		return 0 // the call's own grpc-timeout may take its place
	}
	return whole
}

// bound is a duration that bounds something: 0 is no bound.
func bound(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return d.String()
}

func (s *settingList) hedge(a *routev3.RouteAction, vh *routev3.VirtualHost, at policies) {
	p, level, path := a.GetHedgePolicy(), OfRoute, at.route+".hedge_policy"
	if p == nil {
		p, level, path = vh.GetHedgePolicy(), OfVirtualHost, at.host+".hedge_policy"
	}
	if p.GetHedgeOnPerTryTimeout() {
		s.add("hedging", "a second try when the first takes too long", level, path)
	}
}

// hashing is the list of the innermost level that has one.
type hashing struct {
	list  []*routev3.RouteAction_HashPolicy
	level Level
	path  string
}

func (p policies) hashing(a *routev3.RouteAction) hashing {
	if list := p.cluster.GetHashPolicy(); len(list) > 0 {
		return hashing{list, OfCluster, clusterPolicies}
	}
	return hashing{a.GetHashPolicy(), OfRoute, p.route}
}

// hash says what a hashing load balancer goes by.
func (s *settingList) hash(of hashing) {
	for i, p := range of.list {
		what := ""
		switch x := p.GetPolicySpecifier().(type) {
		case *routev3.RouteAction_HashPolicy_Header_:
			what = "header " + x.Header.GetHeaderName()
		case *routev3.RouteAction_HashPolicy_Cookie_:
			what = "cookie " + x.Cookie.GetName()
		case *routev3.RouteAction_HashPolicy_ConnectionProperties_:
			what = "the client's address"
		case *routev3.RouteAction_HashPolicy_QueryParameter_:
			what = "query parameter " + x.QueryParameter.GetName()
		case *routev3.RouteAction_HashPolicy_FilterState_:
			what = "filter state " + x.FilterState.GetKey()
		default:
			continue
		}
		if p.GetTerminal() {
			what += ", and nothing after it when there is one"
		}
		s.add("hash policy", what, of.level, fmt.Sprintf("%s.hash_policy[%d]", of.path, i))
	}
}

// others are settings that are worth a word when they are there.
func (s *settingList) others(a *routev3.RouteAction, vh *routev3.VirtualHost, at policies) {
	if a.GetAppendXForwardedHost() {
		s.add("x-forwarded-host", "the Host that the client sent is added where the Host is rewritten", OfRoute, at.route+".append_x_forwarded_host")
	}
	if a.GetPriority() != 0 {
		s.add("priority", strings.ToLower(a.GetPriority().String()), OfRoute, at.route+".priority")
	}
	if a.GetInternalRedirectPolicy() != nil {
		s.add("internal redirects", "Envoy follows an upstream's redirect itself", OfRoute, at.route+".internal_redirect_policy")
	}
	for i, u := range a.GetUpgradeConfigs() {
		on := "allowed"
		if u.GetEnabled() != nil && !u.GetEnabled().GetValue() {
			on = "refused"
		}
		s.add("upgrade to "+u.GetUpgradeType(), on, OfRoute, fmt.Sprintf("%s.upgrade_configs[%d]", at.route, i))
	}
	if len(a.GetRateLimits()) > 0 {
		s.add("rate limit", fmt.Sprintf("%d descriptors", len(a.GetRateLimits())), OfRoute, at.route+".rate_limits")
	} else if len(vh.GetRateLimits()) > 0 {
		s.add("rate limit", fmt.Sprintf("%d descriptors", len(vh.GetRateLimits())), OfVirtualHost, at.host+".rate_limits")
	}
}
