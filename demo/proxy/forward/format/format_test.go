package format_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/demo/proxy/forward/format"
)

func values() *format.Values {
	request := map[string]string{"x-id": "42", ":path": "/foo?a=b", "user-agent": "curl"}
	return &format.Values{
		Request:  func(n string) (string, bool) { v, ok := request[n]; return v, ok },
		Start:    time.Date(2026, 11, 23, 4, 5, 6, 123456789, time.UTC),
		Now:      func() time.Time { return time.Date(2026, 11, 23, 4, 5, 6, 623456789, time.UTC) },
		Protocol: "HTTP/1.1", Hostname: "box", RouteName: "foo", Cluster: "app", UpstreamHost: "127.0.0.1:9001",
		Remote: netip.MustParseAddrPort("10.0.0.1:77"), Direct: netip.MustParseAddrPort("127.0.0.1:78"),
		Local: netip.MustParseAddrPort("[::1]:79"), Status: 503, Attempts: 2, Details: "via_upstream",
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"plain":                       "plain",
		"100%% of %REQ(X-Id)%":        "100% of 42",
		"%REQ(nothing?x-id)%":         "42",
		"%REQ(nothing)%":              "",
		"[%REQUEST_HEADER(:path):4%]": "[/foo]",
		"%RESP(server)%":              "",
		"%PROTOCOL% %ROUTE_NAME%":     "HTTP/1.1 foo",
		"%UPSTREAM_HOST%":             "127.0.0.1:9001",
		"%UPSTREAM_REMOTE_PORT%":      "9001",
		"%DOWNSTREAM_REMOTE_ADDRESS%": "10.0.0.1:77",
		"%DOWNSTREAM_LOCAL_ADDRESS%":  "[::1]:79",
		"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%": "127.0.0.1",
		"%HOSTNAME%/%RESPONSE_CODE%":                      "box/503",
		"%RESPONSE_FLAGS%":                                "-",
		"%DURATION%":                                      "500",
		"%START_TIME%":                                    "2026-11-23T04:05:06.123Z",
		"%START_TIME(%s.%3f)%":                            "1795406706.123",
		"%START_TIME(%Y/%m/%d %T)%":                       "2026/11/23 04:05:06",
	} {
		f, err := format.Parse(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := f.Text(values()); got != want {
			t.Errorf("%q gives %q, not %q", in, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for in, want := range map[string]string{
		"%":                            "no valid operator at position 0",
		"50% off":                      "no valid operator at position 2",
		"%lower%":                      "no valid operator",
		"%FILTER_STATE(x)%":            "%FILTER_STATE% is not known here",
		"%REQ()%":                      "needs the name of a header",
		"%REQ(a?)%":                    "needs the name of a header",
		"%REQ(a?b?c)%":                 "needs the name of a header",
		"%PROTOCOL(x)%":                "takes no argument",
		"%START_TIME(%Q)%":             "%Q in %START_TIME(%Q)% is not known",
		"%REQ(a):9999999999999999999%": "too large",
	} {
		if _, err := format.Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzParse holds that any text is either refused or can be filled in.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"%REQ(a?b):3%", "%%", "%START_TIME(%E3S)%", "%", "a%b%c"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		if parsed, err := format.Parse(s); err == nil {
			_ = parsed.Text(&format.Values{})
		}
	})
}
