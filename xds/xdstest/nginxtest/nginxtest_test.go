package nginxtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conf is a server with one location, as short as it may be.
func conf(port int, location string) string {
	return fmt.Sprintf("events {}\nhttp {\n  server {\n    listen 127.0.0.1:%d;\n    %s\n  }\n}\n", port, location)
}

func TestStartAskReload(t *testing.T) {
	t.Parallel()
	echo := NewEcho(t, "app")
	port := FreePort(t)
	s := Start(t, conf(port, "location / { proxy_pass http://"+echo.Address+"; } location /gone { return 444; } location /one { return 200 one; }"))
	a := NewAsker(t, s.Address)
	if got := a.Get("a.test", "/one"); got.Status != 200 || got.Body != "one" || got.Closed {
		t.Errorf("/one is answered with %+v", got)
	}
	seen, ok := ParseSeen(a.Ask("POST /a%2Fb?c HTTP/1.1\r\nHost: a.test\r\nX-Y: z\r\nContent-Length: 3\r\n\r\nabc").Body)
	want := Seen{Backend: "app", Method: "POST", Target: "/a%2Fb?c", Proto: "HTTP/1.0",
		Headers: [][2]string{{"Host", echo.Address}, {"Connection", "close"}, {"Content-Length", "3"}, {"X-Y", "z"}}}
	if diff := cmp.Diff(want, seen); !ok || diff != "" {
		t.Errorf("the upstream saw (-want +got):\n%s", diff)
	}
	if got := a.Get("a.test", "/gone"); got.Status != 0 || !got.Closed {
		t.Errorf("/gone is answered with %+v", got)
	}
	if got := a.Get("a.test", "/%zz"); got.Status != 400 || !got.Closed {
		t.Errorf("/%%zz is answered with %+v", got)
	}
	if got := a.Ask("GET /one\r\n"); got.Status != 0 || got.Body != "one" || !got.Closed {
		t.Errorf("HTTP/0.9 is answered with %+v", got)
	}
	if got := a.Ask("GET /one HTTP/1.0\r\n\r\n"); got.Status != 200 || got.Body != "one" || !got.Closed {
		t.Errorf("HTTP/1.0 is answered with %+v", got)
	}
	if got := a.Ask("HEAD /one HTTP/1.1\r\nHost: a\r\n\r\n"); got.Status != 200 || got.Body != "" || got.Closed {
		t.Errorf("HEAD is answered with %+v", got)
	}
	if !strings.Contains(s.Log(), "notice") {
		t.Errorf("the log is %q", s.Log())
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	port := FreePort(t)
	s := Start(t, "master_process on; worker_processes 1;\n"+conf(port, "return 200 old;"))
	a := NewAsker(t, s.Address)
	before := a.Get("a.test", "/").Body
	s.Reload("master_process on; worker_processes 1;\n" + conf(port, "return 200 new;"))
	a.Close()
	if after := a.Get("a.test", "/").Body; before != "old" || after != "new" {
		t.Errorf("answered %q before the reload and %q after it", before, after)
	}
}

// failing notes that a test would have failed.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }

func TestAcceptedSaysWhatNginxSays(t *testing.T) {
	f := &failing{TB: t}
	Accepted(f, "events {}\nhttp { server { listen 1234; lisssten 1; } }")
	if !strings.Contains(f.said, `unknown directive "lisssten"`) {
		t.Errorf("Accepted says %q", f.said)
	}
}

func TestListens(t *testing.T) {
	for text, want := range map[string]string{
		"listen 80;": "127.0.0.1:80", "# listen 1;\n  listen *:81 ssl;": "127.0.0.1:81", "listen [::1]:8;": "[::1]:8",
		"listen unix:/a; listen 127.0.0.2;": "127.0.0.2:80", "": "",
	} {
		if got := listens(text); got != want {
			t.Errorf("listens(%q) = %q, want %q", text, got, want)
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	echo := NewEcho(b, "app")
	s := Start(b, conf(FreePort(b), "location / { proxy_pass http://"+echo.Address+"; } location /one { return 200 one; }"))
	a := NewAsker(b, s.Address)
	for _, target := range []string{"/", "/one"} {
		b.Run(target, func(b *testing.B) {
			for b.Loop() {
				a.Get("a.test", target)
			}
		})
	}
}
