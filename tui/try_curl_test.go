package tui

import (
	"strings"
	"testing"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/tui/tuitest"
)

func TestCurl(t *testing.T) {
	for _, tt := range []struct {
		r    match.Request
		want string
	}{
		{match.Request{Host: "www.example.com", Path: "/foo?x=1"}, `curl -i --path-as-is -H 'Host: www.example.com' 'http://127.0.0.1:10000/foo?x=1'`},
		{match.Request{Method: "PUT", Host: "a", Headers: []routes.Header{{Name: "x", Value: "it's"}, {Name: ":path", Value: "/"}}},
			`curl -i --path-as-is -X 'PUT' -H 'Host: a' -H 'x: it'\''s' 'http://127.0.0.1:10000/'`},
		{match.Request{Host: "a.com", Path: "/", TLS: true, SNI: "a.com", HTTP2: true},
			`curl -i --path-as-is -k --connect-to 'a.com:10000:127.0.0.1:10000' --http2 -H 'Host: a.com' 'https://a.com:10000/'`},
	} {
		if got := curl(tt.r, "127.0.0.1:10000"); got != tt.want {
			t.Errorf("%s\nwant\n%s", got, tt.want)
		}
	}
}

func TestCurlIsCopied(t *testing.T) {
	a := tried(t, tuitest.Calm(), nil, 150, 40)
	copied := ""
	a.output = func(s string) error { copied = s; return nil }
	press(a, "ctrl+y")
	shows(t, a, "copied the curl command")
	if !strings.HasPrefix(copied, "\x1b]52;c;") {
		t.Errorf("wrote %q", copied)
	}
	press(a, "tab", "ctrl+u", "4", "4", "3", "ctrl+y")
	shows(t, a, "not copied: it is not known where")
}

// From an nginx line, the tester is filled from the route that it mirrors.
func TestTryFromAnNginxLine(t *testing.T) {
	a := stage(t, steady(tuitest.Calm()), 150, 40)
	press(a, "2", "G", "t")
	shows(t, a, "path / ")
	press(a, "esc", "5", "G", "k", "k", "k", "t") // location /foo
	shows(t, a, "path /foo")
}
