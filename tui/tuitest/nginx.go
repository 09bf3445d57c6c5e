package tuitest

import (
	"context"
	"strings"
	"sync"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/friends"
	"example.com/meshtui/engine/nginx/predict"
)

// Friends are three false friends of the example: one with a setting, one with a
// near one, one with none. The settings are real, the sentences are the test's.
func Friends(m *mesh.Mesh, c *nginx.Config) []friends.Friend {
	real := map[string]friends.Friend{}
	for _, f := range friends.Of(m, c) {
		if _, known := real[f.Subject]; !known {
			real[f.Subject] = f
		}
	}
	var out []friends.Friend
	add := func(f friends.Friend, line, says string) {
		if f.Fix != nil {
			f.Fix.Says = says
		}
		f.Lines, f.Places, f.Without = nil, 1, ""
		for i, l := range c.Lines {
			if strings.HasPrefix(strings.TrimSpace(l.Text), line) {
				f.Lines = append(f.Lines, i)
				f.At = l.From
			}
		}
		if len(f.Lines) > 0 {
			out = append(out, f)
		}
	}
	f := real["body size"]
	f.Subject, f.Kind = "rewritten slashes", nginx.None
	f.Nginx, f.Envoy, f.Here, f.Fix = "it merges them", "it passes them on", "", nil
	add(f, "server {", "")
	if f = real["silence"]; f.Fix != nil {
		f.Kind, f.Nginx, f.Envoy, f.Here = nginx.Exact, "504 after 60 s without a byte", "504 after 15 s in all", "an answer that takes longer is cut off"
		add(f, "location /foo", "timeout: 0s and idle_timeout: 60s")
	}
	if f = real["502 or 503"]; f.Fix != nil {
		f.Kind, f.Nginx, f.Envoy, f.Here = nginx.Approximate, "502 when an upstream refuses", "503 when it does", ""
		add(f, "listen", "local_reply_config: 503 becomes 502")
	}
	return out
}

// Contest is a contest whose picture a test sets. S is the screen's type for it.
type Contest[S any] struct {
	wake
	mu    sync.Mutex
	state S
	Calls []string // "watch true", "change"
	Err   error    // what Change answers
}

// State is what Set set last.
func (c *Contest[S]) State() S {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Set replaces the picture and wakes the screen.
func (c *Contest[S]) Set(s S) {
	c.mu.Lock()
	c.state = s
	c.mu.Unlock()
	c.Wake()
}

// Watch notes whether somebody looks.
func (c *Contest[S]) Watch(on bool) {
	what := "watch false"
	if on {
		what = "watch true"
	}
	c.note(what)
}

// Change notes that it was asked.
func (c *Contest[S]) Change() error {
	c.note("change")
	return c.Err
}

func (c *Contest[S]) note(what string) {
	c.mu.Lock()
	c.Calls = append(c.Calls, what)
	c.mu.Unlock()
}

// Nginx is an nginx beside the Envoys that answers as a test tells it. S and T are
// the screen's types for its state and for what came of a request.
type Nginx[S, T any] struct {
	wake
	Is     S
	Answer func(r match.Request) T
	Asked  []match.Request
}

// State is what the test set.
func (n *Nginx[S, T]) State() S { return n.Is }

// Try notes the request and answers it.
func (n *Nginx[S, T]) Try(_ context.Context, r match.Request) T {
	n.Asked = append(n.Asked, r)
	return n.Answer(r)
}

// Foreteller says what nginx would do by the short nginx.conf that Project makes:
// the longest prefix takes a request, $split goes to app and app-v2.
type Foreteller struct {
	Config *conf.Config
	Asked  []predict.Request
}

// Answer finds the location.
func (f *Foreteller) Answer(r predict.Request) predict.Answer {
	f.Asked = append(f.Asked, r)
	a := predict.Answer{Action: predict.Static, Host: r.Host, Sent: r.Target}
	for d := range f.Config.All() {
		switch {
		case d.Name == "server" && d.IsBlock:
			a.Server = d
			a.Steps = append(a.Steps, predict.Step{Kind: "server", Name: "server", Why: "the only one of this address", At: d})
		case d.Name == "location" && strings.HasPrefix(r.Target, d.Arg(0)):
			a.Location, a.Action = d, predict.Proxy
			a.Split = []predict.Share{{Upstream: "app", Percent: 90}, {Upstream: "app-v2", Percent: 10}}
			a.Steps = append(a.Steps, predict.Step{Kind: "location", Name: d.String(), Why: "the longest prefix of " + r.Target, At: d})
		case d.Name == "location":
			a.Losers = append(a.Losers, predict.Loser{Name: d.String(), Reason: r.Target + " does not begin with it", At: d})
		}
	}
	if a.Location == nil {
		a.Caveats = []string{"nothing is known of the files on its disk"}
	}
	return a
}
