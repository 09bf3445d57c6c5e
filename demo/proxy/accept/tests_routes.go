package accept

import (
	"errors"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/demo/proxy/forward/format"
	"example.com/meshtui/demo/proxy/upstream"
)

// What follows is what an Envoy refuses though the rules of the protos allow it,
// in its words.

// headerLists are tests of the lists by which each level takes headers away.
func headerLists() map[string]test {
	return map[string]test{"request_headers_to_remove": removable, "response_headers_to_remove": removable}
}

// removable takes the names of headers that may be taken away.
func removable(at string, v protoreflect.Value) error {
	for i := range v.List().Len() {
		if name := v.List().Get(i).String(); strings.HasPrefix(name, ":") || strings.EqualFold(name, "host") {
			return fmt.Errorf("%s[%d]: :-prefixed or host headers may not be removed", at, i)
		}
	}
	return nil
}

// positive refuses negative durations.
func positive(at string, m proto.Message) error {
	if d, ok := m.(*durationpb.Duration); ok && d.AsDuration() < 0 {
		return fmt.Errorf("%s: Invalid duration: Expected positive duration: %s", at, d.AsDuration())
	}
	return nil
}

// oneAction refuses a header that says twice what is to be done where it is
// there already.
func oneAction(at string, m proto.Message) error {
	o, _ := m.(*corev3.HeaderValueOption)
	//nolint:staticcheck // deprecated, and done by every Envoy
	if o.GetAppend() != nil && o.GetAppendAction() != corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD {
		return fmt.Errorf("%s: Both append and append_action are set and it's not allowed", at)
	}
	return nil
}

// headerFormat takes a header whose value can be filled in.
func headerFormat(at string, m proto.Message) error {
	h, _ := m.(*corev3.HeaderValue)
	if strings.HasPrefix(h.GetKey(), ":") || strings.EqualFold(h.GetKey(), "host") {
		return fmt.Errorf("%s.key: :-prefixed or host headers may not be modified", at)
	}
	value := h.GetValue()
	if len(h.GetRawValue()) > 0 {
		value = string(h.GetRawValue())
	}
	_, err := format.Parse(value)
	var unknown *format.UnknownError
	switch {
	case errors.As(err, &unknown):
		return undone(at, "does not fill in "+unknown.Operator)
	case err != nil:
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// maxBody is how long a direct response's body may be unless it is told.
const maxBody = 4096

// shortBodies refuses direct responses that are too long.
func shortBodies(at string, m proto.Message) error {
	rc, _ := m.(*routev3.RouteConfiguration)
	limit := maxBody
	if n := rc.GetMaxDirectResponseBodySizeBytes(); n != nil {
		limit = int(n.GetValue())
	}
	for i, host := range rc.GetVirtualHosts() {
		for j, r := range host.GetRoutes() {
			body := r.GetDirectResponse().GetBody()
			if n := len(body.GetInlineString()) + len(body.GetInlineBytes()); n > limit {
				return fmt.Errorf("%s: response body size is %d bytes; maximum is %d",
					join(at, fmt.Sprintf("virtual_hosts[%d].routes[%d].direct_response.body", i, j)), n, limit)
			}
		}
	}
	return nil
}

// oneRewrite refuses an action that rewrites twice, or upgrades twice.
func oneRewrite(at string, m proto.Message) error {
	a, _ := m.(*routev3.RouteAction)
	rewrites := 0
	for _, is := range []bool{a.GetPrefixRewrite() != "", a.GetRegexRewrite() != nil, a.GetPathRewritePolicy() != nil} {
		if is {
			rewrites++
		}
	}
	if rewrites > 1 {
		return fmt.Errorf("%s: Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy", at)
	}
	seen := map[string]bool{}
	for i, u := range a.GetUpgradeConfigs() {
		if name := strings.ToLower(u.GetUpgradeType()); seen[name] {
			return fmt.Errorf("%s.upgrade_configs[%d]: Duplicate upgrade %s", at, i, u.GetUpgradeType())
		} else {
			seen[name] = true
		}
	}
	return nil
}

// oneUpgrade refuses a connection manager that knows an upgrade twice.
func oneUpgrade(at string, h *hcmv3.HttpConnectionManager) error {
	seen := map[string]bool{}
	for i, u := range h.GetUpgradeConfigs() {
		name := strings.ToLower(u.GetUpgradeType())
		if seen[name] {
			return fmt.Errorf("%s.upgrade_configs[%d]: Error: multiple upgrade configs with the same name: '%s'", at, i, u.GetUpgradeType())
		}
		seen[name] = true
	}
	return nil
}

// someWeight refuses weighted clusters of which none can be chosen.
func someWeight(at string, m proto.Message) error {
	w, _ := m.(*routev3.WeightedCluster)
	var sum uint64
	for i, c := range w.GetClusters() {
		if c.GetWeight() == nil {
			return fmt.Errorf("%s.clusters[%d]: Field 'weight' is missing", at, i)
		}
		sum += uint64(c.GetWeight().GetValue())
	}
	if sum == 0 {
		return fmt.Errorf("%s: Sum of weights in the weighted_cluster must be greater than 0.", at) //nolint:staticcheck,revive // Envoy's own words
	}
	return nil
}

// oneShadow refuses a mirror policy that names no cluster, or two.
func oneShadow(at string, m proto.Message) error {
	p, _ := m.(*routev3.RouteAction_RequestMirrorPolicy)
	if (p.GetCluster() == "") == (p.GetClusterHeader() == "") {
		return fmt.Errorf("%s: Exactly one of cluster or cluster_header in request mirror policy need to be specified", at)
	}
	return nil
}

// retries leaves a retry policy to the package that does it.
func retries(at string, m proto.Message) error {
	p, _ := m.(*routev3.RetryPolicy)
	if b := p.GetRetryBackOff(); b.GetMaxInterval() != nil && b.GetMaxInterval().AsDuration() < b.GetBaseInterval().AsDuration() {
		return fmt.Errorf("%s: retry_policy.max_interval must greater than or equal to the base_interval", at)
	}
	err := upstream.CheckRetry(p)
	if err == nil {
		return nil
	}
	at = strings.TrimSuffix(strings.TrimSuffix(at, "retry_policy"), ".")
	return fmt.Errorf("%s.%w", at, foreign("", err))
}
