package routes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// The conditions to retry on that Envoy knows. A policy may name both kinds; each
// request header has its own.
var (
	retryOn = []string{
		"5xx", "gateway-error", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream",
		"retriable-status-codes", "retriable-headers", "reset", "reset-before-request", "http3-post-connect-failure",
	}
	retryGRPCOn = []string{"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}
)

// conditions are those of a list that Envoy knows, as it reads them.
func conditions(list string, known ...[]string) string {
	var out []string
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		if slices.ContainsFunc(known, func(k []string) bool { return slices.Contains(k, word) }) {
			out = append(out, word)
		}
	}
	return strings.Join(out, ",")
}

// retrying is the policy of the innermost level that has one; they are not
// merged.
type retrying struct {
	policy *routev3.RetryPolicy
	level  Level
	path   string
}

func (p policies) retrying(h Hit) retrying {
	switch {
	case p.cluster.GetRetryPolicy() != nil:
		return retrying{p.cluster.GetRetryPolicy(), OfCluster, clusterPolicies + ".retry_policy"}
	case h.Route.GetRoute().GetRetryPolicy() != nil:
		return retrying{h.Route.GetRoute().GetRetryPolicy(), OfRoute, p.route + ".retry_policy"}
	case h.VirtualHost.GetRetryPolicy() != nil:
		return retrying{h.VirtualHost.GetRetryPolicy(), OfVirtualHost, p.host + ".retry_policy"}
	}
	return retrying{level: Default}
}

// retry tells what is tried again, how often, and how long each try may take
// where the whole exchange may take so long. What the request asks for adds
// to the conditions of the policy, and takes the place of its number.
func (s *settingList) retry(p retrying, whole time.Duration, v *view) {
	on, times := conditions(p.policy.GetRetryOn(), retryOn, retryGRPCOn), uint64(1)
	if n := p.policy.GetNumRetries(); n != nil {
		times = uint64(n.GetValue())
	}
	asked, by := askedRetries(v)
	most, told := v.number("x-envoy-max-retries")
	if told = told && on+asked != ""; told {
		times = uint64(uint32(most)) // as Envoy keeps it
	}
	switch {
	case on != "":
		s.add("retry", retries(times, on), p.level, p.path)
		if asked != "" {
			s.add("also retry on", asked, OfRequest, by)
		}
	case asked != "":
		s.add("retry", retries(times, asked), OfRequest, by)
	case p.policy == nil:
		s.add("retry", "none", Default, "")
	case p.policy.GetRetryOn() == "":
		s.add("retry", "none: the policy has no retry_on", p.level, p.path)
	default:
		s.add("retry", "none: Envoy knows nothing of retry_on "+show(p.policy.GetRetryOn()), p.level, p.path)
	}
	if told {
		s.add("retries", fmt.Sprint(times), OfRequest, "x-envoy-max-retries")
	}
	s.tries(p, whole, v)
}

// tries are the bounds on each try, which hold for the only one too. Envoy drops
// one that is no shorter than that of the whole exchange.
func (s *settingList) tries(p retrying, whole time.Duration, v *view) {
	const asked = "x-envoy-upstream-rq-per-try-timeout-ms"
	each, level, path := p.policy.GetPerTryTimeout().AsDuration(), p.level, p.path+".per_try_timeout"
	told := p.policy.GetPerTryTimeout() != nil
	if d, ok := v.milliseconds(asked); ok {
		each, level, path, told = d, OfRequest, asked, true
	}
	if told && (whole == 0 || each < whole) {
		s.add("timeout of each try", bound(each), level, path)
	}
	if d := p.policy.GetPerTryIdleTimeout(); d != nil {
		s.add("idle timeout of each try", bound(d.AsDuration()), p.level, p.path+".per_try_idle_timeout")
	}
}

// askedRetries are the conditions that the request itself brings, and the headers
// that do.
func askedRetries(v *view) (on, by string) {
	var conds, names []string
	for _, one := range []struct {
		header string
		known  []string
	}{{"x-envoy-retry-on", retryOn}, {"x-envoy-retry-grpc-on", retryGRPCOn}} {
		value, _ := v.listed(one.header)
		if c := conditions(value, one.known); c != "" {
			conds, names = append(conds, c), append(names, one.header)
		}
	}
	return strings.Join(conds, ","), strings.Join(names, ", ")
}

func retries(times uint64, on string) string {
	if times == 1 {
		return "1 retry on " + on
	}
	return fmt.Sprintf("%d retries on %s", times, on)
}
