package forward

import (
	"net/http"
	"testing"
	"time"
)

func TestTarget(t *testing.T) {
	for _, path := range []string{"/", "/a?b=c", "/a%2Fb//c", "/%zz", "//x//y?z", "/a|b\"<>", "*", "/?", "/a?b?c#d"} {
		r := &http.Request{URL: target(path)}
		if got := r.URL.RequestURI(); got != path {
			t.Errorf("%q goes out as %q", path, got)
		}
	}
	if got := target("").RequestURI(); got != "/" {
		t.Errorf("nothing goes out as %q", got)
	}
}

func TestGRPCTimeout(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"100m": 100 * time.Millisecond, "1H": time.Hour, "5S": 5 * time.Second, "7u": 7 * time.Microsecond, "9n": 9, "2M": 2 * time.Minute,
		"99999999H": 1<<63 - 1,
	} {
		if got, ok := parseGRPCTimeout(in); !ok || got != want {
			t.Errorf("%s is %s, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "m", "x", "1", "-1S", "1.5S", "999999999S", "1s"} {
		if got, ok := parseGRPCTimeout(in); ok {
			t.Errorf("%q is %s", in, got)
		}
	}
}

func TestShadowed(t *testing.T) {
	for in, want := range map[string]string{"a": "a-shadow", "a:80": "a-shadow:80", "[::1]:80": "[::1]-shadow:80", "": "-shadow"} {
		if got := shadowed(in, false); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
		if got := shadowed(in, true); got != in {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}

func TestNewID(t *testing.T) {
	a, b := newID(), newID()
	if len(a) != 36 || a == b || a[14] != '4' || a[8] != '-' || a[13] != '-' || a[18] != '-' || a[23] != '-' {
		t.Errorf("%s %s", a, b)
	}
}
