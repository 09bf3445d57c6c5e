package contest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

func TestProcesses(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	p := processes{}
	p.see(at(1), map[int]bool{10: false})
	p.see(at(2), map[int]bool{10: false, 11: false})
	p.see(at(3), map[int]bool{10: true, 11: false})
	p.see(at(4), map[int]bool{10: true, 11: false})
	if d := cmp.Diff([]Process{{PID: 10, Since: at(3), Leaving: true}, {PID: 11, Since: at(2)}}, p.list()); d != "" {
		t.Error(d)
	}
	p.see(at(5), map[int]bool{11: false})
	p.see(at(6), map[int]bool{11: false})
	if d := cmp.Diff([]Process{{PID: 10, Since: at(5), Gone: true}, {PID: 11, Since: at(2)}}, p.list()); d != "" {
		t.Error(d)
	}
	p.begin()
	if d := cmp.Diff([]Process{{PID: 11, Since: at(2)}}, p.list()); d != "" {
		t.Error(d)
	}
}

// The socket that a connection has at its server's end is found in the process
// that holds it.
func TestServedByNew(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skipf("needs Linux's /proc: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	mine := &link{Conn: near}
	if !servedByNew(mine, []int{os.Getpid()}, nil) {
		t.Error("this process holds the other end")
	}
	if servedByNew(mine, []int{os.Getpid()}, []int{os.Getpid()}) {
		t.Error("an old worker passed for a new one")
	}
	if servedByNew(mine, []int{1}, nil) {
		t.Error("another process holds it")
	}
	far.Close()
}

func TestUpgradedTold(t *testing.T) {
	c := &change{at: time.Unix(100, 0)}
	end := c.at.Add(2100 * time.Millisecond)
	for want, u := range map[string]upgradedRun{
		"alive":           {},
		"cut after 2.1 s": {ended: end},
		"alive; closed by its client after 2.1 s": {ended: end, byUs: true},
		"refused with 403":                        {ended: end, refused: "refused with 403"},
	} {
		if got := u.told(c); got != want {
			t.Errorf("%+v: %q, want %q", u, got, want)
		}
	}
	if got := (&upgradedRun{ended: end}).told(nil); got != "cut" {
		t.Errorf("without a change: %q", got)
	}
}

// front is a server that answers as backend a, at first, and whose connections a
// test can end.
type front struct {
	*httptest.Server
	who     atomic.Value
	paused  chan struct{} // got one for each slow request that came
	hurries atomic.Bool   // closes after each answer
}

func newFront(t *testing.T) *front {
	f := &front{paused: make(chan struct{}, 100)}
	f.who.Store("127.0.0.1:1")
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Demo-Pause") != "" {
			f.paused <- struct{}{}
			<-r.Context().Done()
			return
		}
		if f.hurries.Load() {
			w.Header().Set("Connection", "close")
		}
		w.Header().Set("X-Who", f.who.Load().(string))
		if f.who.Load() == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *front) address() string { return strings.TrimPrefix(f.URL, "http://") }

// One side's figures, step by step: without nginx, and of a server whose habits
// are known.
func TestOneSide(t *testing.T) {
	f := newFront(t)
	before := shop(t, f.address(), "match: {prefix: /}\n    route: {cluster: a}")
	after := shop(t, f.address(), "match: {prefix: /}\n    route: {cluster: b}")
	c, w := alone(t, before)
	c.Watch(true)
	s := until(t, c, "there is load", func(s State) bool {
		return s.Envoy.Open == clients && s.Envoy.Answers > 2*clients && len(s.Envoy.Slow) == slows
	})
	if s.Nginx.Name != "" || s.Missed != "no nginx here" || s.Envoy.Closed+s.Envoy.Failed != 0 || s.Envoy.Upgraded != "refused with 200" {
		t.Errorf("before: %+v", s)
	}
	if len(s.Envoy.Processes) != 1 || s.Envoy.Processes[0] != (Process{PID: 1, Since: time.Unix(1, 0)}) {
		t.Errorf("processes: %+v", s.Envoy.Processes)
	}

	c.Pushed(&engine.Revision{Number: 2, Note: "over to b"}, after)
	s = c.State()
	if s.What != "over to b" || s.Envoy.Effective != 0 || !slices.ContainsFunc(s.Envoy.Ticks, func(t Tick) bool { return t.Change }) || len(s.Envoy.Slow) != slows {
		t.Errorf("at the change: %+v", s)
	}
	w.say(xds.Message{Node: "envoy-2", Revision: 2, Kind: xds.Response, Type: mesh.Route, Names: []string{"local_route"}, Bytes: 1000})
	w.say(xds.Message{Node: "envoy-1", Revision: 1, Kind: xds.Response, Type: mesh.Route, Names: []string{"local_route"}, Bytes: 1000})
	w.say(xds.Message{Node: "envoy-1", Revision: 2, Kind: xds.Response, Type: mesh.Cluster, Names: []string{"a", "b"}, Bytes: 20})
	w.say(xds.Message{Node: "envoy-1", Revision: 2, Kind: xds.Response, Type: mesh.Route, Names: []string{"local_route"}, Bytes: 3})
	w.say(xds.Message{Node: "envoy-1", Revision: 2, Kind: xds.ACK, Type: mesh.Route})
	s = until(t, c, "the wire was read", func(s State) bool { return s.Envoy.Bytes == 23 && s.Envoy.Answers > 0 })
	if s.Envoy.Did != "CDS (2), RDS local_route" || s.Envoy.Effective != 0 {
		t.Errorf("an ACK is no answer where answers tell: %+v", s.Envoy)
	}
	f.who.Store("127.0.0.1:3")
	s = until(t, c, "it answers anew", func(s State) bool { return s.Envoy.Effective > 0 && s.Envoy.Ticks[len(s.Envoy.Ticks)-1].New > 0 })
	if s.Envoy.Settled <= 0 || s.Envoy.Closed+s.Envoy.Failed != 0 {
		t.Errorf("answered anew: %+v", s.Envoy)
	}

	f.hurries.Store(true)
	s = until(t, c, "connections are closed", func(s State) bool { return s.Envoy.Closed > 2*clients })
	f.hurries.Store(false)
	if s.Envoy.Failed != 0 {
		t.Errorf("a connection that the server closed is a failure: %+v", s.Envoy)
	}
	until(t, c, "all are open again", func(s State) bool { return s.Envoy.Open == clients })
	f.CloseClientConnections()
	s = until(t, c, "they were opened once more", func(s State) bool {
		return s.Envoy.Open == clients && s.Envoy.Slow[0].Err != "" && s.Envoy.Slow[1].Err != "" && s.Envoy.Slow[2].Err != ""
	})
	if s.Envoy.Failed != 0 || !strings.HasPrefix(s.Envoy.Slow[0].Err, "cut: ") || s.Envoy.Slow[0].OK || s.Envoy.Slow[0].Left != 0 {
		t.Errorf("cut: %+v", s.Envoy)
	}
	f.who.Store("")
	until(t, c, "failures are counted", func(s State) bool { return s.Envoy.Failed > 0 && s.Envoy.Ticks[len(s.Envoy.Ticks)-1].Failed > 0 })

	c.Watch(false)
	c.Pushed(&engine.Revision{Number: 3}, before)
	if s := c.State(); s.On || s.What != "" {
		t.Errorf("nobody watches: %+v", s)
	}
}

// What no answer tells is what the Envoy says; a refusal is told in its words.
func TestNoAnswerTells(t *testing.T) {
	f := newFront(t)
	before := shop(t, f.address(), "match: {prefix: /}\n    route: {cluster: a}")
	c, w := alone(t, before)
	c.Watch(true)
	until(t, c, "there is load", func(s State) bool { return s.Envoy.Answers > clients })
	c.Pushed(&engine.Revision{Number: 2}, shop(t, f.address(), "match: {prefix: /}\n    route: {cluster: a, timeout: 2s}"))
	if s := c.State(); s.Envoy.Effective != 0 {
		t.Errorf("at once: %+v", s.Envoy)
	}
	if err := c.Change(); err == nil || !strings.Contains(err.Error(), "has not shown in") {
		t.Errorf("a second change before the first one shows: %v", err)
	}
	w.say(xds.Message{Node: "envoy-1", Revision: 2, Kind: xds.ACK, Type: mesh.Route})
	until(t, c, "its ACK counts, and answers after it are new", func(s State) bool {
		return s.Envoy.Effective > 0 && s.Envoy.Ticks[len(s.Envoy.Ticks)-1].New > 0
	})
	c.Pushed(&engine.Revision{Number: 3}, before)
	w.say(xds.Message{Node: "envoy-1", Revision: 3, Kind: xds.NACK, Type: mesh.Route, Detail: "I will not"})
	s := until(t, c, "the refusal is told", func(s State) bool { return s.Envoy.Refused != "" })
	if s.Envoy.Refused != "I will not" || s.Envoy.Effective != 0 {
		t.Errorf("%+v", s.Envoy)
	}
}

func TestChange(t *testing.T) {
	m := shop(t, "127.0.0.1:1", "match: {prefix: /}\n    route: {cluster: a}")
	c, _ := alone(t, m)
	ws := c.o.Workspace
	cluster := func() string {
		t.Helper()
		r := ws.State().Group(mesh.DefaultGroup).Live.Get(mesh.Key{Type: mesh.Route, Name: "local_route"})
		_, rest, _ := strings.Cut(r.Source.Text, "cluster: ")
		return strings.TrimRight(rest, "}\n")
	}
	there := c.State().Next
	if err := c.Change(); err != nil {
		t.Fatal(err)
	}
	if got := cluster(); got == "a" || there != fmt.Sprintf("/ goes to %s in place of a", got) || ws.State().Head().Note != there {
		t.Errorf("it goes to %s; it said %q and noted %q", got, there, ws.State().Head().Note)
	}
	if next := c.State().Next; next != "/ goes back to a" {
		t.Errorf("then it would do %q", next)
	}
	if err := c.Change(); err != nil || cluster() != "a" || c.State().Next != there {
		t.Errorf("back: %v, %s, then %q", err, cluster(), c.State().Next)
	}
	mine := engine.SetField{Key: mesh.Key{Type: mesh.Cluster, Name: "c"}, Path: "connect_timeout", Value: "3s"}
	if err := ws.Edit(mesh.DefaultGroup, mine); err != nil {
		t.Fatal(err)
	}
	if err := c.Change(); err == nil || !strings.Contains(err.Error(), "the draft has changes of yours") || c.State().Next != "" {
		t.Errorf("with a draft: %v, next %q", err, c.State().Next)
	}
	if n := ws.State().Head().Number; n != 3 {
		t.Errorf("revision %d was pushed", n)
	}
	if err := errors.Join(ws.Undo(), ws.Edit(mesh.DefaultGroup, engine.SetField{Key: mesh.Key{Type: mesh.Route, Name: "local_route"},
		Path: "virtual_hosts[0].routes[0]", Value: map[string]any{"match": map[string]any{"prefix": "/"}, "direct_response": map[string]any{"status": 200}}})); err != nil {
		t.Fatal(err)
	}
	if _, err := ws.Push(engine.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Change(); err == nil || !strings.Contains(err.Error(), "no single cluster") {
		t.Errorf("without a cluster: %v", err)
	}
}
