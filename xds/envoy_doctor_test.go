package xds_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/nack/nacktest"
	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/xdstest"
)

var recordNacks = flag.Bool("record-nacks", false, "write what this Envoy says into the cases of engine/nack")

// ports stands in for the ports of the cases, which some process may have, by
// ports that are free.
type ports map[string]string

var casePort = regexp.MustCompile(`\b21\d{3}\b`)

// real puts ports that are free, or that are held, in the place of those of a case.
func (p ports) real(t testing.TB, s string) string {
	return casePort.ReplaceAllStringFunc(s, func(port string) string {
		if p[port] == "" {
			p[port] = freePair(t)
		}
		return p[port]
	})
}

// freePair is a port of which the next one is free too: the one that is proposed
// in its place.
func freePair(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := freePort(t)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		if err == nil {
			l.Close()
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no two ports in a row are free")
	return ""
}

// written puts the ports of the case back.
func (p ports) written(s string) string {
	var pairs []string
	for port, real := range p {
		pairs = append(pairs, real, port)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// Everything that the diagnosis of NACKs is tested with was said by an Envoy: this
// one says the same, and takes the mended configuration into use.
func TestEnvoyTakesWhatTheDoctorMends(t *testing.T) {
	t.Parallel() // it waits more than it works
	variants(t, func(t *testing.T, delta bool) {
		t.Parallel()
		p := ports{"21150": freePair(t)}
		held, err := net.Listen("tcp", "127.0.0.1:"+p["21150"])
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		cases := nacktest.Load(t, "../engine/nack/testdata/envoy", func(s string) string { return p.real(t, s) })
		d := startDoctor(t, delta)
		mended := 0
		for _, c := range cases {
			d.accepted(c.Before)
			rej, diagnoses := d.rejected(c)
			if got, want := p.written(nack.Words(rej.Raw)), nack.Words(archived(c)); got != want && !*recordNacks {
				t.Errorf("%s: this Envoy says\n%s\nand not\n%s", c.Name, got, want)
			}
			if *recordNacks && !delta {
				record(t, c, p.written(rej.Raw))
			}
			if d.mend(c, diagnoses) {
				mended++
			}
		}
		t.Logf("%d of %d mended", mended, len(cases))
	})
}

// doctor is an Envoy that is sent what it cannot take.
type doctor struct {
	*served
	t        *testing.T
	revision int
	node     string
	watch    *envoy.Watcher // nil for what is no Envoy
}

func startDoctor(t *testing.T, delta bool) *doctor {
	d := &doctor{served: serve(t, xds.Options{}), t: t, node: "envoy-1"}
	var config strings.Builder
	if err := bootstrap.Execute(&config, map[string]any{"ID": "envoy-1", "Delta": delta, "Socket": strings.TrimPrefix(d.addr, "unix:")}); err != nil {
		t.Fatal(err)
	}
	// It is to say more in a few seconds than an Envoy otherwise may.
	xdstest.RunEnvoy(t, strings.Replace(config.String(), "rate_limit_settings: {}", "rate_limit_settings: {max_tokens: 100000}", 1),
		"--disable-hot-restart", "--drain-time-s", "1")
	d.watch = envoy.NewWatcher(envoy.WatcherOptions{
		Targets: func() []envoy.Target { return []envoy.Target{{Node: "envoy-1", Admin: d.addr + ".envoy-1"}} },
		Served:  d.Served,
	})
	g, ctx := task.New(context.Background())
	g.Go("watcher", func() error { return d.watch.Run(ctx) })
	t.Cleanup(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *doctor) push(m *mesh.Mesh) {
	d.revision++
	d.Publish(revision(d.revision, m))
}

func (d *doctor) accepted(m *mesh.Mesh) {
	d.t.Helper()
	d.push(m)
	d.through(d.node, d.revision, engine.Accepted)
}

// rejected pushes what a case is about and returns what Envoy says to it.
func (d *doctor) rejected(c nacktest.Case) (*xds.Rejection, []nack.Diagnosis) {
	d.t.Helper()
	d.push(c.Mesh)
	n := d.through(d.node, d.revision, engine.Rejected)
	rej := n.Types[c.Type].Rejected
	if rej == nil {
		d.t.Fatalf("%s: what was rejected is of another type: %+v", c.Name, n.Types)
	}
	return rej, nack.Diagnose(nack.Rejection{Text: rej.Raw, Type: c.Type, Changed: rej.Resources, Mesh: c.Mesh, Before: c.Before})
}

// mend makes the edits that are offered first and waits until Envoy has taken
// them into use; false when there are none, which the case must say too.
func (d *doctor) mend(c nacktest.Case, diagnoses []nack.Diagnosis) bool {
	d.t.Helper()
	m, keys := d.edited(c, c.Mesh, diagnoses)
	if want := fixes(c); len(keys) != want {
		d.t.Errorf("%s: %d resources mended, want %d", c.Name, len(keys), want)
	}
	if len(keys) == 0 {
		return false
	}
	for range 10 {
		d.push(m)
		n := d.ended()
		if n.Rollout.Result == engine.Accepted {
			break
		}
		rej := n.Types[c.Type].Rejected
		if rej == nil || !strings.Contains(rej.Raw, "Address already in use") {
			d.t.Fatalf("%s: what was mended is %v: %s", c.Name, n.Rollout.Result, n.Rollout.Detail)
		}
		// Somebody on this machine has the port that was proposed: ask again.
		m, _ = d.edited(c, m, nack.Diagnose(nack.Rejection{Text: rej.Raw, Type: c.Type, Changed: rej.Resources, Mesh: m, Before: c.Before}))
	}
	for k := range keys {
		if d.watch != nil {
			d.active(c.Name, k)
		}
	}
	return true
}

// edited is a mesh with the first edit that is offered for each reason, and the
// resources that were edited.
func (d *doctor) edited(c nacktest.Case, m *mesh.Mesh, diagnoses []nack.Diagnosis) (*mesh.Mesh, map[mesh.Key]bool) {
	d.t.Helper()
	keys, reasons := map[mesh.Key]bool{}, map[string]bool{}
	for _, x := range diagnoses {
		if reasons[x.Words] || x.Fix == nil {
			continue // a further guess at the same reason
		}
		reasons[x.Words] = true
		r, err := nacktest.Read(strings.ToLower(x.Fix.Key.Type.Service())+"-fixed.yaml", x.Fix.Text)
		if err != nil {
			d.t.Fatalf("%s: the mended text: %v", c.Name, err)
		}
		m = m.Replace(x.Fix.Key, r)
		keys[r.Key] = true
	}
	return m, keys
}

// ended waits for the end of the newest revision's rollout, whatever it is.
func (d *doctor) ended() *xds.Node {
	d.t.Helper()
	return d.until("the end of the rollout", func(st *xds.State) bool {
		n := st.Node(d.node)
		return n != nil && n.Rollout.Revision == d.revision && n.Rollout.Result != engine.Pending && !n.Rollout.Ended.IsZero()
	}).Node(d.node)
}

// active waits until Envoy has a resource in use.
func (d *doctor) active(name string, k mesh.Key) {
	d.t.Helper()
	changed, done := d.watch.Changed()
	defer done()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		d.watch.Poke(d.node)
		f := d.watch.Facts(d.node)
		if f != nil && f.Active[k].State == envoy.ActiveSame {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			d.t.Fatalf("%s: %s is not in use: %+v", name, k, f)
		}
	}
}

// archived is what a case's archive has for Envoy's words.
func archived(c nacktest.Case) string {
	for _, f := range c.Archive.Files {
		if strings.HasPrefix(f.Name, "nack/") {
			return string(f.Data)
		}
	}
	return ""
}

// fixes is how many mended texts a case's archive has.
func fixes(c nacktest.Case) int {
	n := 0
	for _, f := range c.Archive.Files {
		if strings.HasPrefix(f.Name, "fixed ") {
			n++
		}
	}
	return n
}

func record(t *testing.T, c nacktest.Case, words string) {
	t.Helper()
	for i, f := range c.Archive.Files {
		if strings.HasPrefix(f.Name, "nack/") {
			c.Archive.Files[i].Data = []byte(strings.TrimRight(words, "\n") + "\n")
		}
	}
	if err := os.WriteFile(c.File, txtar.Format(c.Archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
