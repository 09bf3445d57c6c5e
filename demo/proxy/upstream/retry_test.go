package upstream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRetryConditions(t *testing.T) {
	answer := func(status int, headers ...string) *http.Response {
		r := &http.Response{StatusCode: status, Header: http.Header{}}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	for _, tc := range []struct {
		policy string
		answer *http.Response
		reset  reset
		sent   bool
		want   bool
	}{
		{"retry_on: 5xx", answer(500), 0, true, true},
		{"retry_on: 5xx", answer(499), 0, true, false},
		{"retry_on: gateway-error", answer(500), 0, true, false},
		{"retry_on: gateway-error", answer(504), 0, true, true},
		{"retry_on: 'retriable-4xx , reset'", answer(409), 0, true, true},
		{"retry_on: retriable-4xx", answer(404), 0, true, false},
		{"retry_on: retriable-status-codes\nretriable_status_codes: [404]", answer(404), 0, true, true},
		{"retry_on: 5xx\nretriable_status_codes: [404]", answer(404), 0, true, false},
		{"retry_on: 5xx", answer(503, "x-envoy-ratelimited", "true"), 0, true, false},
		{"retry_on: envoy-ratelimited", answer(429, "x-envoy-ratelimited", "true"), 0, true, true},
		{"retry_on: unavailable", answer(200, "grpc-status", "14"), 0, true, true},
		{"retry_on: cancelled", answer(200, "grpc-status", "14"), 0, true, false},
		{"retry_on: retriable-headers\nretriable_headers: [{name: x-a, string_match: {prefix: b}}]", answer(200, "x-a", "bc"), 0, true, true},
		{"retry_on: retriable-headers\nretriable_headers: [{name: x-a, string_match: {prefix: b}}]", answer(200, "x-a", "c"), 0, true, false},
		{"retry_on: connect-failure", nil, connectFailure, false, true},
		{"retry_on: connect-failure", nil, connectTimeout, false, true},
		{"retry_on: connect-failure", nil, termination, true, false},
		{"retry_on: refused-stream", nil, refusedStream, true, true},
		{"retry_on: refused-stream", nil, remoteReset, true, false},
		{"retry_on: reset", nil, termination, true, true},
		{"retry_on: reset", nil, protocolError, true, true},
		{"retry_on: reset", nil, tryTimeout, true, true},
		{"retry_on: 5xx", nil, connectFailure, false, true},
		{"retry_on: gateway-error", nil, tryTimeout, true, true},
		{"retry_on: reset-before-request", nil, termination, true, false},
		{"retry_on: reset-before-request", nil, connectFailure, false, true},
		{"retry_on: '5xx,reset,connect-failure'", nil, overflow, false, false},
		{"retry_on: '5xx,reset'", nil, routeTimeout, true, false},
		{"retry_on: '5xx,reset'", nil, clientGone, true, false},
		{"retry_on: retriable-4xx", nil, termination, true, false},
	} {
		p := readRetries(retryOf(t, tc.policy), httptest.NewRequest("GET", "/", nil))
		got := p.afterReset(tc.reset, tc.sent)
		if tc.answer != nil {
			got = p.afterAnswer(tc.answer)
		}
		if got != tc.want {
			t.Errorf("%s, %+v, reset %q: %v", tc.policy, tc.answer, resetNames[tc.reset], got)
		}
	}
	if (*retries)(nil).afterAnswer(answer(503)) || (*retries)(nil).afterReset(termination, true) {
		t.Error("without a policy nothing is tried again")
	}
}

func TestRetryDefaults(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	p := readRetries(retryOf(t, "retry_on: 5xx"), r)
	if p.left != 1 || p.tries != 1 || p.avoid || p.tryTimeout != 0 || p.base != 25*time.Millisecond || p.limit != 250*time.Millisecond {
		t.Errorf("%+v", p)
	}
	p = readRetries(retryOf(t, "retry_on: 5xx\nretry_back_off: {base_interval: 2s}\nhost_selection_retry_max_attempts: 7\nnum_retries: 0"), r)
	if p.limit != 20*time.Second || p.tries != 7 || p.left != 0 {
		t.Errorf("%+v", p)
	}
	only := retryOf(t, "retry_on: 5xx\nretriable_request_headers: [{name: ':method', string_match: {exact: PUT}}, {name: x-safe, present_match: true}]")
	if readRetries(only, r) != nil {
		t.Error("a request without the header is retried")
	}
	r.Header.Set("X-Safe", "")
	if readRetries(only, r) == nil {
		t.Error("a request with the header is not retried")
	}
	if readRetries(only, httptest.NewRequest("PUT", "/", nil)) == nil {
		t.Error("a request with the method is not retried")
	}
}

// The pause is anything up to the base, which doubles until the limit.
func TestBackOff(t *testing.T) {
	var longest [4]time.Duration
	for range 200 {
		p := readRetries(retryOf(t, "retry_on: 5xx\nretry_back_off: {base_interval: 1s, max_interval: 3s}"), httptest.NewRequest("GET", "/", nil))
		for i := range longest {
			longest[i] = max(longest[i], p.pause())
		}
	}
	for i, most := range []time.Duration{1, 2, 3, 3} {
		if d := longest[i]; d >= most*time.Second || d < most*time.Second*9/10 {
			t.Errorf("pause %d is at most %s, %ds would be right", i, d, most)
		}
	}
}

func TestHeaderMatchers(t *testing.T) {
	h := http.Header{"X-A": {"one", "Two"}, "X-N": {"42"}, "X-Empty": {""}}
	for yaml, want := range map[string]bool{
		"{name: x-a}":                                                                 true,
		"{name: x-b}":                                                                 false,
		"{name: x-a, present_match: true}":                                            true,
		"{name: x-a, present_match: false}":                                           false,
		"{name: x-b, present_match: false}":                                           true,
		"{name: x-b, present_match: true, invert_match: true}":                        true,
		"{name: x-a, exact_match: 'one,Two'}":                                         false,
		"{name: x-a, exact_match: one}":                                               true,
		"{name: x-a, exact_match: one, invert_match: true}":                           false,
		"{name: x-b, exact_match: one, invert_match: true}":                           false,
		"{name: x-a, prefix_match: one}":                                              true,
		"{name: x-a, exact_match: three, invert_match: true}":                         true,
		"{name: x-a, string_match: {exact: TWO, ignore_case: true}}":                  true,
		"{name: x-a, suffix_match: Two}":                                              true,
		"{name: x-a, contains_match: 'e,T'}":                                          false,
		"{name: x-a, safe_regex_match: {regex: 'one'}}":                               true,
		"{name: x-a, safe_regex_match: {regex: 'o.*o'}}":                              false,
		"{name: x-n, range_match: {start: 42, end: 43}}":                              true,
		"{name: x-n, range_match: {start: 0, end: 42}}":                               false,
		"{name: x-a, range_match: {start: 0, end: 42}}":                               false,
		"{name: x-a, string_match: {exact: ONE,TWO, ignore_case: true}}":              false,
		"{name: x-a, string_match: {prefix: one, ignore_case: true}}":                 true,
		"{name: x-a, string_match: {suffix: Two}}":                                    true,
		"{name: x-a, string_match: {contains: ne}}":                                   true,
		"{name: x-a, string_match: {safe_regex: {regex: '[a-z]+'}}}":                  true,
		"{name: x-b, string_match: {exact: ''}, treat_missing_header_as_empty: true}": true,
	} {
		yaml = strings.ReplaceAll(yaml, "ONE,TWO", "'ONE,TWO'")
		p := retryOf(t, "retry_on: retriable-headers\nretriable_headers: ["+yaml+"]")
		m, err := compileMatcher(p.GetRetriableHeaders()[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := m(h); got != want {
			t.Errorf("%s: %v", yaml, got)
		}
	}
}
