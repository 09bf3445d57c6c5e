package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"golang.org/x/net/http/httpguts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/matchtest"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// Every request of random meshes goes where the matcher says, and is answered as
// an Envoy would answer it: the comparison that a real Envoy passes.
// MESHTUI_FUZZ_PROXY is how many requests to send, MESHTUI_SEED where to begin.
func TestRandomMeshes(t *testing.T) {
	n, seed := number(t, "MESHTUI_FUZZ_PROXY", 4000), uint64(number(t, "MESHTUI_SEED", 1))
	r := &random{told: startTold(t), sorts: map[string]int{}, refused: map[string]int{}, others: map[string]int{}}
	for i := range 4 {
		r.backends = append(r.backends, r.backend(fmt.Sprintf("c%d", i)))
	}
	for r.tally.Requests+r.skipped < n {
		r.one(seed)
		seed++
	}
	t.Logf("left to net/http: %v", r.others)
	t.Logf("%s\n%d requests to meshes that it refuses: %v", &r.tally, r.skipped, r.refused)
	if r.skipped > 0 {
		t.Errorf("%d requests were to meshes that the proxy refuses: %v", r.skipped, r.refused)
	}
	left := 0
	for _, count := range r.others {
		left += count
	}
	if left*5 > n { // else the test would say little
		t.Errorf("%d of %d requests are left to net/http: %v", left, n, r.others)
	}
	for sort, count := range r.sorts {
		t.Errorf("%d × %s", count, sort)
	}
}

// leftOut are the features of a mesh that the proxy refuses, or that need a
// runtime, which it does not have.
var leftOut = []string{"path_rewrite", "connect", "connect requests", "dynamic metadata", "filter state", "host_rewrite",
	"weighted host rewrite", "vhost_header", "runtime keys"}

// random is a node that is told one random mesh after the other.
type random struct {
	*told
	backends []uint32
	tally    matchtest.Tally
	skipped  int
	refused  map[string]int
	sorts    map[string]int // failures, by what they may have in common
	others   map[string]int // what net/http does otherwise, by why
}

// backend says what it saw, until the test ends.
func (r *random) backend(cluster string) uint32 {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	g, ctx := task.New(context.Background())
	g.Go("backend", func() error {
		for {
			c, err := l.Accept()
			if err != nil {
				return nil //nolint:nilerr // it was closed
			}
			g.Go("connection", func() error {
				stop := context.AfterFunc(ctx, func() { c.Close() })
				defer stop()
				defer c.Close()
				_ = matchtest.Serve(c, cluster) // a connection that ends early shows in its answer
				return nil
			})
		}
	})
	r.t.Cleanup(func() {
		l.Close()
		g.Stop()
		if err := g.Wait(); err != nil {
			r.t.Error(err)
		}
	})
	return uint32(portOf(r.t, l.Addr().String()))
}

// one tells the node the mesh of a seed and asks what belongs to it.
func (r *random) one(seed uint64) {
	r.t.Helper()
	c := matchtest.New(seed, matchtest.Options{
		Address: "127.0.0.1", Port: uint32(freePort(r.t)), Backends: r.backends, Requests: 100, Without: leftOut,
	})
	for _, typ := range []mesh.Type{mesh.Cluster, mesh.Listener, mesh.Route} {
		var ms []proto.Message
		for _, res := range c.Mesh.List(typ) {
			m := proto.Clone(res.Message)
			withoutConnect(m.ProtoReflect())
			ms = append(ms, m)
		}
		if a := r.world(typ, ms...); a.Err != nil {
			r.skipped += len(c.Requests)
			r.refused[short(a.Err)]++
			return
		}
	}
	m := match.New(c.Mesh)
	for i, o := range exchange(c) {
		q := c.Requests[i]
		way := m.Match(&q.Ask)
		r.tally.Add(way, q)
		if why := otherwise(q, way, o); why != "" {
			r.others[why]++
			continue
		}
		if found := matchtest.Compare(m, q, o); len(found) > 0 {
			sort := fmt.Sprintf("%s, predicted %s %d %s, observed %d %s %v", found[0].Kind, way.Action, way.Status, way.Detail, o.Status, o.Details, q.Classes)
			if r.sorts[sort]++; r.sorts[sort] == 1 && len(r.sorts) <= 8 {
				alone := c
				alone.Requests = []matchtest.Request{q}
				r.t.Error(matchtest.Report(alone, m, o, found))
			}
		}
	}
}

// exchange asks all requests of a case, on one connection as long as it lasts.
func exchange(c matchtest.Case) []matchtest.Observed {
	var out []matchtest.Observed
	var conn net.Conn
	var answers *bufio.Reader
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for _, q := range c.Requests {
		if conn == nil {
			var err error
			if conn, err = net.Dial("tcp", net.JoinHostPort(c.Options.Address, strconv.Itoa(int(c.Options.Port)))); err != nil {
				out = append(out, matchtest.Observed{Err: err.Error()})
				continue
			}
			answers = bufio.NewReader(conn)
		}
		_ = conn.SetDeadline(time.Now().Add(patience)) // it fails on a closed connection alone, which shows
		o, reuse := matchtest.Exchange(conn, answers, q)
		out = append(out, o)
		if !reuse {
			conn.Close()
			conn = nil
		}
	}
	return out
}

// otherwise says why a request comes to something else here than in an Envoy,
// because net/http, which reads and writes requests for this proxy, has rules of
// its own; "" when it does not.
func otherwise(q matchtest.Request, way match.Way, o matchtest.Observed) string {
	line, rest, _ := strings.Cut(string(q.Raw), "\r\n")
	_, target, _ := strings.Cut(line, " ")
	target = target[:max(0, strings.LastIndexByte(target, ' '))]
	hosts := hostsIn(rest)
	switch _, err := url.ParseRequestURI(target); {
	case len(hosts) > 1:
		return "several Hosts"
	case strings.Contains(target, "://") && way.Detail == "missing_host_header":
		return "an empty Host beside an absolute target"
	case q.Ask.HTTP10 && len(hosts) == 1 && hosts[0] == "":
		return "an empty Host in HTTP/1.0"
	case o.Reached && !plainHost.MatchString(way.Host) && o.Host != way.Host:
		return "the Host for the backend has characters that no Host has"
	case o.Reached && strings.HasPrefix(way.Path, "//") && o.Path != way.Path && unescaped(o.Path) == unescaped(way.Path):
		return "the path for the backend begins with // and has what a URL must escape"
	case o.Reached || o.Status != http.StatusBadRequest: // the rest net/http refuses with 400
		return ""
	case way.Status == http.StatusBadRequest && strings.HasPrefix(o.Body, "400 Bad Request"):
		return "refused by both, by net/http in its own words"
	case err != nil || strings.Contains(target, " "):
		return "the target is no URL"
	case len(hosts) == 1 && !httpguts.ValidHostHeader(hosts[0]):
		return "the Host has characters that no Host has"
	case len(hosts) == 0 && !q.Ask.HTTP10:
		return "HTTP/1.1 without a Host"
	}
	return ""
}

// plainHost is what net/http sends as it is.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]+$`)

// withoutConnect takes upgrades of CONNECT out, which the proxy refuses and no
// request here asks for.
func withoutConnect(m protoreflect.Message) {
	if whole, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := whole.UnmarshalNew(); err == nil {
			withoutConnect(inner.ProtoReflect())
			_ = whole.MarshalFrom(inner) // it was just read; else it stays as it was
		}
		return
	}
	switch m := m.Interface().(type) {
	case *hcmv3.HttpConnectionManager:
		m.UpgradeConfigs = slices.DeleteFunc(m.UpgradeConfigs, func(u *hcmv3.HttpConnectionManager_UpgradeConfig) bool { return u.UpgradeType == "CONNECT" })
	case *routev3.RouteAction:
		m.UpgradeConfigs = slices.DeleteFunc(m.UpgradeConfigs, func(u *routev3.RouteAction_UpgradeConfig) bool { return u.UpgradeType == "CONNECT" })
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				withoutConnect(v.List().Get(i).Message())
			}
		default:
			withoutConnect(v.Message())
		}
		return true
	})
}

func hostsIn(headers string) []string {
	var out []string
	for line := range strings.SplitSeq(headers, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "host") {
			out = append(out, strings.TrimSpace(value))
		}
	}
	return out
}

func unescaped(path string) string {
	p, _ := url.PathUnescape(path)
	return p
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number above 0", name, s)
	}
	return n
}

// short is the field that a refusal is about, and what is said of it.
func short(err error) string {
	text := strings.TrimPrefix(err.Error(), "Error adding/updating listener(s) web: ")
	field, why, _ := strings.Cut(text, ": ")
	return field[strings.LastIndex(field, ".")+1:] + ": " + why
}
