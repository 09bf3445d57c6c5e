package match

import (
	"net/netip"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// What a real Envoy made of these paths with normalize_path: recorded, so that
// it holds where there is no Envoy. "" is a rejected path.
func TestCanonicalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "//": "//", "/a/./b": "/a/b", "/a/../b": "/b", "/../a": "/a", "/a/..": "/", "/a/.": "/a/", "/...": "/...", "/a/..b": "/a/..b",
		"/a/%2e/b": "/a/b", "/a/%2E%2e/b": "/b", "/a%2Fb": "/a%2Fb", "/a%2fb": "/a%2fb", `/a\b`: "/a/b", `/a\..\b`: "/b", "/%41%7a%2d%5F%7E": "/Az-_~",
		"/%00": "", "/a%00b": "", "/%": "/%", "/%zz": "/%zz", "/%25": "/%25", "/%252e": "/%252e", "/%%30%30": "/%2500", "/a//../b": "/a/b", "/a/b//..": "/a/b/",
		"/a/..;x/b": "/b", "/a/.;": "/a/", "/a;b": "/a;b", "/^|`{}\"<>": "/%5E%7C%60%7B%7D%22%3C%3E", "/%c3%a9": "/%c3%a9", "/a%5cb": "/a%5cb",
	} {
		got, ok := canonicalPath(path)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
		if again, ok := canonicalPath(got); want != "" && (!ok || again != got) {
			t.Errorf("%q: normalised again it is %q", got, again)
		}
	}
}

// The same for what becomes of escaped slashes and fragments.
func TestNormalPath(t *testing.T) {
	keep := &hcmv3.HttpConnectionManager{}
	reject := &hcmv3.HttpConnectionManager{PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_REJECT_REQUEST}
	redirect := &hcmv3.HttpConnectionManager{PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_UNESCAPE_AND_REDIRECT}
	forward := &hcmv3.HttpConnectionManager{PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD, MergeSlashes: true}
	for _, c := range []struct {
		name    string
		m       *hcmv3.HttpConnectionManager
		runtime map[string]float64
		path    string
		want    string
		answer  pathAnswer
	}{
		{"kept", keep, nil, "/a%2Fb//c?d//e%2F", "/a%2Fb//c?d//e%2F", pathKept},
		{"fragment", keep, nil, "/a#b", "/a#b", pathRejected},
		{"fragment stripped by runtime", keep, map[string]float64{runtimeFragment: 0}, "/a#b", "/a", pathKept},
		{"normalised by runtime", keep, map[string]float64{runtimeNormalize: 100}, "/a/../b", "/b", pathKept},
		{"rejected by runtime", keep, map[string]float64{runtimeEscaped: 2}, "/a%2Fb", "/a%2Fb", pathRejected},
		{"nothing to reject", reject, nil, "/a?%2F", "/a?%2F", pathKept},
		{"rejected", reject, nil, "/a%5cb", "/a%5cb", pathRejected},
		{"redirected", redirect, nil, "/a%2fb?c%2f", "/a/b?c%2f", pathRedirect},
		{"forwarded and merged", forward, nil, "/a%2F%2Fb", "/a/b", pathKept},
		{"no path", forward, nil, "", "", pathKept},
	} {
		if got, answer := normalPath(c.path, c.m, c.runtime); got != c.want || answer != c.answer {
			t.Errorf("%s: %q %d, want %q %d", c.name, got, answer, c.want, c.answer)
		}
	}
}

func TestNormalHost(t *testing.T) {
	every := &hcmv3.HttpConnectionManager{StripTrailingHostDot: true, StripPortMode: &hcmv3.HttpConnectionManager_StripAnyHostPort{StripAnyHostPort: true}}
	own := &hcmv3.HttpConnectionManager{StripMatchingHostPort: true}
	for _, c := range []struct {
		host string
		m    *hcmv3.HttpConnectionManager
		want string
	}{
		{"a.example.:80", every, "a.example"}, {"a.example.", every, "a.example"}, {"a.example..", every, "a.example."}, {"[::1]:80", every, "[::1]"}, {"[::1]", every, "[::1]"},
		{"a.example:x", every, "a.example:x"}, {"a.example:", every, "a.example:"}, {"a.example:+80", every, "a.example"}, {"a.example:080", every, "a.example"}, {"", every, ""},
		{"a.example:80", own, "a.example"}, {"a.example:81", own, "a.example:81"}, {"a.example.:80", own, "a.example."},
	} {
		if got := normalHost(c.host, c.m, 80); got != c.want {
			t.Errorf("%q: %q, want %q", c.host, got, c.want)
		}
	}
}

func TestLastForwarded(t *testing.T) {
	for _, c := range []struct {
		value  string
		skip   int
		want   string
		single bool
	}{
		{"10.0.0.1", 0, "10.0.0.1", true}, {" 10.0.0.1", 0, "10.0.0.1", true}, {"8.8.8.8, 10.0.0.1", 0, "10.0.0.1", false},
		{"8.8.8.8,10.0.0.1", 1, "8.8.8.8", false}, {"10.0.0.1", 1, "invalid IP", false}, {"nonsense", 0, "invalid IP", false}, {"", 0, "invalid IP", false},
		{"fd00::1", 0, "fd00::1", true},
	} {
		if got, single := lastForwarded(c.value, c.skip); got.String() != c.want || single != c.single {
			t.Errorf("%q without %d: %s %v, want %s %v", c.value, c.skip, got, single, c.want, c.single)
		}
	}
}

func TestFits(t *testing.T) {
	address := netip.MustParseAddr
	for _, c := range []struct {
		bound, wanted string
		want          int
	}{
		{"127.0.0.1", "127.0.0.1", 3}, {"0.0.0.0", "10.0.0.1", 2}, {"::", "fd00::1", 2}, {"::", "10.0.0.1", 0}, {"0.0.0.0", "fd00::1", 0}, {"127.0.0.1", "127.0.0.2", 0},
	} {
		if got := fits(address(c.bound), address(c.wanted)); got != c.want {
			t.Errorf("%s for %s: %d, want %d", c.bound, c.wanted, got, c.want)
		}
	}
}
