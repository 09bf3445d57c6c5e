package predict_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	rounds = flag.Int("rounds", 4, "how many random configurations are held against a real nginx")
	seed   = flag.Uint64("seed", 1, "where their seeds begin")
	asked  = flag.Int("asked", 1500, "how many requests each gets")
)

// TestAsNginx holds every answer against a real nginx with random configurations
// and requests, half of the latter mutated.
func TestAsNginx(t *testing.T) {
	nginxtest.Need(t)
	one, two := nginxtest.NewEcho(t, "one"), nginxtest.NewEcho(t, "two")
	total, kept := 0, map[string]int{}
	for i := range *rounds {
		t.Run(fmt.Sprint("seed=", *seed+uint64(i)), func(t *testing.T) {
			m := &maker{Rand: rand.New(rand.NewPCG(*seed+uint64(i), 7)), port: nginxtest.FreePort(t), up: [2]string{one.Address, two.Address}}
			text := m.conf()
			s := newServer(t, text)
			nginxtest.Start(t, text)
			askers, wrong := map[string]*nginxtest.Asker{}, 0
			for range *asked {
				r := m.request()
				to := net.JoinHostPort(r.Address.String(), strconv.Itoa(m.port))
				if askers[to] == nil {
					askers[to] = nginxtest.NewAsker(t, to)
				}
				reply := askers[to].Ask(raw(r))
				answer := s.Answer(r)
				total++
				if why := abstains(answer); why != "" {
					kept[why]++
					continue
				}
				if diff := differs(answer, reply, map[string]string{"app": "one", one.Address: "one", "Other": "two", two.Address: "two"}); diff != "" {
					wrong++
					t.Errorf("%s\n%.400q to %s\nnginx: %d %q %.300q\npredict: %s", diff, raw(r), to, reply.Status, reply.Location(), reply.Body, told(answer)+"\n"+block(text, answer.Server))
					if wrong > 2 {
						t.FailNow()
					}
				}
			}
		})
	}
	abstained := 0
	for why, n := range kept {
		abstained += n
		t.Logf("%d abstained: %s", n, why)
	}
	t.Logf("%d requests compared, %d abstained (%.2f %%)", total-abstained, abstained, 100*float64(abstained)/float64(max(total, 1)))
	if abstained*500 > total {
		t.Errorf("%d of %d abstained, want less than 0.2 %%", abstained, total)
	}
}

// TestRareClassesAsNginx holds what chance seldom meets: fragments, a rewrite that
// stays before a URI in proxy_pass, and where split_clients puts a key.
func TestRareClassesAsNginx(t *testing.T) {
	nginxtest.Need(t)
	one, two := nginxtest.NewEcho(t, "one"), nginxtest.NewEcho(t, "two")
	port := nginxtest.FreePort(t)
	text := fmt.Sprintf(`events {}
http {
  upstream app { server %s; }
  upstream Other { server %s; }
  split_clients $arg_key $side { 33.3%% app; 25%% Other; * app; }
  server {
    listen 127.0.0.1:%d;
    location /stay { rewrite ^/stay(.*)$ /stayed$1 break; proxy_pass http://app/lost; }
    location /again { rewrite ^/again(.*)$ /uri$1 last; }
    location /uri { proxy_pass http://app/other; }
    location /split { proxy_pass http://$side; }
    location /text { return 200 "$uri|$args|$request_uri"; }
  }
}
`, one.Address, two.Address, port)
	s, a := newServer(t, text), nginxtest.NewAsker(t, nginxtest.Start(t, text).Address)
	targets := []string{"/text?a#b", "/text#b?a", "/text/%23?a%23b", "/stay/x?y", "/again/x%20z?y#f", "/uri/a%2Fb?c#d", "/text?a#b#c"}
	for i := range 300 {
		targets = append(targets, fmt.Sprint("/split?key=", strings.Repeat("k", i%7), i))
	}
	for _, target := range targets {
		r := predict.Request{Host: "a.test", Target: target}
		answer, reply := s.Answer(r), a.Ask(raw(r))
		if diff := differs(answer, reply, map[string]string{"app": "one", "Other": "two"}); diff != "" || len(answer.Caveats) > 0 {
			t.Errorf("%s: %s\nnginx: %d %.300q\npredict: %s", target, diff, reply.Status, reply.Body, told(answer))
		}
	}
}

func newServer(t testing.TB, text string) *predict.Server {
	t.Helper()
	c, err := conf.Parse("nginx.conf", conf.Text(text))
	if err != nil || len(c.Problems) > 0 {
		t.Fatalf("%v %v", err, c.Problems)
	}
	return predict.New(c)
}

// abstains says why an answer cannot be held against nginx; "" where it can.
func abstains(a predict.Answer) string {
	switch {
	case a.Action == predict.Unknown && len(a.Caveats) == 0:
		return ""
	case len(a.Caveats) > 0:
		c := a.Caveats[0]
		if at := strings.LastIndex(c, " decides, and "); at >= 0 {
			c = c[at:]
		}
		return c
	}
	return ""
}

// differs says what nginx did otherwise; "" for nothing. upstreams are the names of
// the backends by what proxy_pass calls them.
func differs(a predict.Answer, r nginxtest.Reply, upstreams map[string]string) string {
	seen, proxied := nginxtest.ParseSeen(r.Body)
	switch backend := r.Headers.Get("X-Echo"); {
	case (a.Action == predict.Proxy) != (backend != ""):
		return "one of them goes upstream"
	case a.Action == predict.Proxy && upstreams[a.Upstream] != backend:
		return "another upstream: " + backend
	}
	switch a.Action {
	case predict.Static: // the root is a folder that is not there
		if a.Status != r.Status {
			return "another status for a file that is not there"
		}
	case predict.Closed:
		if r.Status != 0 {
			return "the connection is not closed"
		}
	case predict.Proxy:
		if !proxied { // HEAD
			return ""
		}
		id := ""
		for _, h := range conf.Inherited(a.Location, nil, "proxy_set_header") {
			if h.Arg(0) == "X-Loc" {
				id = h.Arg(1)
			}
		}
		switch {
		case seen.Header("X-Loc") != id:
			return "another location: " + seen.Header("X-Loc")
		case seen.Target != a.Sent:
			return "another target is sent: " + seen.Target
		case seen.Header("Host") != a.Host:
			return "another Host is sent: " + seen.Header("Host")
		case a.Status != 0 && a.Status != r.Status || a.Status == 0 && r.Status != 200:
			return "another status"
		}
	default:
		switch {
		case a.Status != r.Status:
			return "another status"
		case a.Redirect != r.Location():
			return "another Location"
		case a.Action == predict.Return && !strings.HasPrefix(r.Body, "<html>") && a.Body != r.Body:
			return "another body"
		case a.Body != "" && a.Body != r.Body:
			return "another body"
		}
	}
	return ""
}

// block is the text of a server.
func block(text string, d *conf.Directive) string {
	if d == nil {
		return ""
	}
	lines := strings.Split(text, "\n")
	end := d.Line
	for end < len(lines) && lines[end] != "  }" {
		end++
	}
	return strings.Join(lines[d.Line-1:end], "\n")
}

func told(a predict.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d Location %q body %q upstream %q sent %q host %q", a.Action, a.Status, a.Redirect, a.Body, a.Upstream, a.Sent, a.Host)
	for _, s := range a.Steps {
		line := 0
		if s.At != nil {
			line = s.At.Line
		}
		fmt.Fprintf(&b, "\n  %s %s: %s (line %d)", s.Kind, s.Name, s.Why, line)
	}
	return b.String()
}
