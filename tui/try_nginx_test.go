package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/tui/tuitest"
)

// both is a tester on a calm scene with an nginx beside the Envoys.
func both(t *testing.T, answer func(match.Request) Tried, w, h int) (*App, *tuitest.Nginx[NginxState, Tried]) {
	t.Helper()
	beside := &tuitest.Nginx[NginxState, Tried]{Is: NginxState{Program: "nginx 1.22.1 (/usr/sbin/nginx)", Running: true}, Answer: answer}
	d := steady(tuitest.Calm())
	d.Trier, d.Nginx = by(fine), beside
	a := stage(t, d, w, h)
	press(a, "2", "g", "j", "j", "t")
	return a, beside
}

func fromNginx(status int) func(match.Request) Tried {
	return func(r match.Request) Tried {
		return Tried{Node: "nginx", Address: "127.0.0.1:10080", Sent: r, Status: status, Proto: "HTTP/1.1", Answered: "127.0.0.1:9002 (app-v1-b)", Took: 900 * time.Microsecond}
	}
}

func TestGoldenTryNginx(t *testing.T) {
	for _, sc := range []struct {
		name   string
		status int
		keys   []string
	}{
		{"try-nginx-same", 200, []string{"enter"}},
		{"try-nginx-way", 200, []string{"enter", "ctrl+n"}},
		{"try-nginx-parts", 404, []string{"end", "backspace", "backspace", "backspace", "h", "e", "a", "l", "t", "h", "enter", "ctrl+n"}},
	} {
		for _, s := range [][2]int{{150, 40}, {80, 24}, {60, 24}} {
			t.Run(fmt.Sprintf("%s %d×%d", sc.name, s[0], s[1]), func(t *testing.T) {
				a, _ := both(t, fromNginx(sc.status), s[0], s[1])
				press(a, sc.keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", sc.name, s[0], s[1]), a.View())
			})
		}
	}
}

func TestTheSameRequestGoesToBoth(t *testing.T) {
	a, beside := both(t, fromNginx(200), 150, 40)
	if len(beside.Asked) != 0 {
		t.Fatal("nginx was asked before anybody said so")
	}
	press(a, "enter")
	if len(beside.Asked) != 1 || beside.Asked[0].Path != "/foo" || beside.Asked[0].Host != "www.example.com" {
		t.Errorf("nginx was asked %+v", beside.Asked)
	}
	shows(t, a, "as predicted: 200 OK from 127.0.0.1:9001 (app-v1-a)", "nginx, as predicted: 200 OK from 127.0.0.1:9002 (app-v1-b)",
		"observed on nginx 1.22.1 (/usr/sbin/nginx), 127.0.0.1:10080", "= the same as Envoy")
	if strings.Contains(a.View(), "here they part") {
		t.Error("a difference is said that there is not")
	}
}

func TestWhereTheyPartIsSaidAndLeadsToTheLine(t *testing.T) {
	a, _ := both(t, fromNginx(404), 150, 40)
	press(a, "end", "backspace", "backspace", "backspace")
	typed(a, "health") // Envoy answers it itself, nginx has no location for it
	shows(t, a, "≠ here they part: nginx: a file of its disk; Envoy: 200 (line 12)")
	press(a, "enter")
	shows(t, a, "here they part: nginx answers 404 Not Found, Envoy 200 OK")
	press(a, "ctrl+n", "ctrl+g")
	if a.screen != nil || a.focus != PanelNginx || a.lists[PanelNginx].Cursor != 11 {
		t.Errorf("ctrl+g leads to panel %d, line %d", a.focus, a.lists[PanelNginx].Cursor+1)
	}
}

func TestNginxReasonsAndTheirLines(t *testing.T) {
	a, _ := both(t, fromNginx(200), 80, 24)
	shows(t, a, "nginx would the same: to app 90%, app-v2 10% ctrl+n shows its way")
	press(a, "ctrl+n")
	shows(t, a, "location /foo the longest prefix of /foo (line 14)", "Envoy to app 90%, app-v2 10%")
	for !a.typing() || a.try.form.focus != len(a.try.form.fields)-1 {
		press(a, "tab")
	}
	press(a, "tab", "G")
	shows(t, a, "nothing else in nginx could have taken it", "● 14: location /foo", "takes it: the longest prefix of /foo")
	press(a, "ctrl+g")
	if a.lists[PanelNginx].Cursor != 13 || a.focus != PanelNginx {
		t.Errorf("ctrl+g leads to panel %d, line %d", a.focus, a.lists[PanelNginx].Cursor+1)
	}
}

func TestWithoutAnNginxItSaysWhy(t *testing.T) {
	d := steady(tuitest.Calm())
	d.Trier, d.NoNginx = by(fine), "no nginx on PATH"
	a := stage(t, d, 150, 40)
	press(a, "2", "g", "j", "j", "t", "enter")
	shows(t, a, "Nothing can be sent: no nginx on PATH.", "as predicted: 200 OK")
}

func TestNginxThatDoesOtherwiseThanForetold(t *testing.T) {
	moved := func(c *conf.Config) Foreteller {
		return answered{predict.Answer{Action: predict.Redirect, Status: 301, Redirect: "http://www.example.com/foo/"}}
	}
	for _, tt := range []struct {
		tried Tried
		want  string
	}{
		{Tried{Status: 301, Location: "http://www.example.com/foo/"}, "nginx, as predicted: 301 Moved Permanently"},
		{Tried{Status: 302, Location: "http://www.example.com/foo/"}, "nginx, not as predicted: 302 Found to http://www.example.com/foo/; predicted was 301"},
		{Tried{Status: 301, Location: "/else"}, "predicted was the Location http://www.example.com/foo/"},
		{Tried{Err: "nginx: [emerg] bind() failed"}, "not sent to nginx: nginx: [emerg] bind() failed"},
	} {
		d := steady(tuitest.Calm())
		d.Foretell, d.Trier = moved, by(fine)
		d.Nginx = &tuitest.Nginx[NginxState, Tried]{Answer: func(match.Request) Tried { return tt.tried }}
		a := stage(t, d, 150, 40)
		press(a, "2", "g", "j", "j", "t", "enter")
		shows(t, a, tt.want, "here they part: nginx: 301 to http://www.example.com/foo/; Envoy: to")
	}
}

// answered gives one answer to everything.
type answered struct{ same predict.Answer }

func (f answered) Answer(predict.Request) predict.Answer { return f.same }

// TestCompare: what the two worlds part in.
func TestCompare(t *testing.T) {
	key := mesh.Key{Type: mesh.Route, Name: "r"}
	shown := &nginx.Config{Lines: []nginx.Line{
		{Text: "upstream a_1 { server 127.0.0.1:1; }", From: nginx.Origin{Key: mesh.Key{Type: mesh.Cluster, Name: "a"}}},
		{Text: "server { listen 1;"},
		{Text: "location /x { proxy_pass http://a_1; }", From: nginx.Origin{Key: key, Path: "virtual_hosts[0].routes[1]"}},
		{Text: "}"},
	}}
	var at *conf.Directive
	like := newLikeNginx(shown, func(c *conf.Config) Foreteller {
		for d := range c.All() {
			if d.Name == "location" {
				at = d
			}
		}
		return answered{}
	})
	forward := func(cluster, path, host string, route int) match.Way {
		return match.Way{Action: match.Forward, Matched: true, Cluster: cluster, Path: path, Host: host,
			Steps: []match.Step{{Kind: "route", Name: fmt.Sprintf("r%d", route), Key: key, Path: fmt.Sprintf("virtual_hosts[0].routes[%d]", route)}}}
	}
	proxy := predict.Answer{Action: predict.Proxy, Location: at, Upstream: "a_1", Sent: "/x", Host: "h"}
	for _, tt := range []struct {
		name string
		ans  predict.Answer
		way  match.Way
		want []string
	}{
		{"the same, whatever nginx calls the cluster", proxy, forward("a", "/x", "H", 1), nil},
		{"another cluster", proxy, forward("b", "/x", "h", 1), []string{"nginx: to a_1; Envoy: to b"}},
		{"another route elsewhere", proxy, forward("b", "/x", "h", 0), []string{"nginx: location /x, to a_1; Envoy: route r0, to b"}},
		{"another route to the same", proxy, forward("a", "/x", "h", 0), []string{"nginx takes location /x, Envoy route r0"}},
		{"another path upstream", proxy, forward("a", "/y", "h", 1), []string{"the upstream gets /x from nginx, /y from Envoy"}},
		{"another Host upstream", proxy, forward("a", "/x", "i", 1), []string{"the upstream gets the Host h from nginx, i from Envoy"}},
		{"Envoy has no such cluster", proxy, match.Way{Action: match.Forward, Status: 503}, []string{"nginx: to a_1; Envoy: 503"}},
		{"both refuse", predict.Answer{Action: predict.Refused, Status: 400}, match.Way{Action: match.Refused, Status: 400}, nil},
		{"another status", predict.Answer{Action: predict.Return, Status: 404}, match.Way{Action: match.DirectResponse, Status: 200}, []string{"nginx: 404; Envoy: 200"}},
		{"another Location", predict.Answer{Action: predict.Redirect, Status: 301, Redirect: "/a"}, match.Way{Action: match.Redirect, Status: 301, Location: "/b"},
			[]string{"nginx: 301 to /a; Envoy: 301 to /b"}},
		{"nothing is known", predict.Answer{Action: predict.Unknown}, forward("a", "/x", "h", 1), nil},
	} {
		f := &foretold{by: like, answer: tt.ans}
		var got []string
		for _, p := range f.compare(&tt.way) {
			got = append(got, p.says)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
