package matchtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// envoyBinary is a real Envoy's path; the test is skipped without one.
func envoyBinary(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("MESHTUI_ENVOY"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		if p := filepath.Join(dir, ".tools", "envoy"); exec.Command(p, "--version").Run() == nil {
			return p
		}
		break
	}
	if p, err := exec.LookPath("envoy"); err == nil {
		return p
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "envoy") {
		t.Fatal("no Envoy, and MESHTUI_REQUIRE asks for one")
	}
	t.Skip("no Envoy: make envoy puts one into .tools")
	return ""
}

// lab serves cases with a real Envoy, each on a loopback address of its own, so
// that the port can be the same for all.
type lab struct {
	t        *testing.T
	binary   string
	port     uint32
	backends []uint32
	sources  sync.Mutex
}

const clusters = 4

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, binary: envoyBinary(t), port: freePort(t)}
	if p, err := net.Listen("tcp", net.JoinHostPort(loopback(0), "0")); err != nil {
		t.Skipf("this system has one loopback address alone: %v", err)
	} else {
		p.Close()
	}
	for i := range clusters {
		l.backends = append(l.backends, backend(t, clusterName(i)))
	}
	return l
}

// loopback is the address of the i-th case.
func loopback(i int) string { return fmt.Sprintf("127.24.%d.%d", i/250, 1+i%250) }

// freePort is one that no one listens on, on any address.
func freePort(t *testing.T) uint32 {
	t.Helper()
	for i := range 1000 {
		port := 24000 + (os.Getpid()+i*37)%1000
		if p, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			p.Close()
			return uint32(port)
		}
	}
	t.Fatal("no free port")
	return 0
}

// backend serves as a cluster on a port of its own until the test ends.
func backend(t *testing.T, cluster string) uint32 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serveAll(listener, cluster)
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return uint32(listener.Addr().(*net.TCPAddr).Port)
}

// serveAll serves connections until the listener closes, then ends them.
func serveAll(listener net.Listener, cluster string) {
	ended := make(chan net.Conn)
	open := 0
	for {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		open++
		go func() {
			_ = Serve(conn, cluster) // an upstream connection that was cut says nothing
			conn.Close()
			ended <- conn
		}()
	drain:
		for {
			select {
			case <-ended:
				open--
			default:
				break drain
			}
		}
	}
	for ; open > 0; open-- {
		<-ended // Envoy is gone by now, and its connections with it
	}
}

// process is one Envoy with a batch of cases.
type process struct {
	cmd     *exec.Cmd
	log     *bytes.Buffer
	cancel  context.CancelFunc
	admin   *http.Client
	refused map[int]string // case → Envoy's words
}

// start runs an Envoy that serves the cases, each where At puts it.
func (l *lab) start(cases []Case) (*process, error) {
	dir, err := os.MkdirTemp("", "matchtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	response := &discoveryv3.DiscoveryResponse{VersionInfo: "1", TypeUrl: mesh.Listener.URL()}
	for i, c := range cases {
		response.Resources = append(response.Resources, packed(inlined(c, i)))
	}
	lds := filepath.Join(dir, "lds.json")
	if err := write(lds, response); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "envoy.json")
	if err := write(config, l.bootstrap(dir)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel: cancel, log: &bytes.Buffer{}, refused: map[int]string{}}
	p.cmd = exec.CommandContext(ctx, l.binary, "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "error")
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, p.log
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	socket := filepath.Join(dir, "admin")
	p.admin = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	if err := p.ready(); err != nil {
		p.stop()
		return nil, fmt.Errorf("%w; Envoy said:\n%s", err, p.log)
	}
	if err := p.findRefused(); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *process) stop() {
	p.cancel()
	_ = p.cmd.Wait() // it was killed
}

func write(path string, m proto.Message) error {
	b, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// bootstrap is a config with the clusters, which all cases share.
func (l *lab) bootstrap(dir string) *bootstrapv3.Bootstrap {
	b := &bootstrapv3.Bootstrap{}
	runtime, err := json.Marshal(RuntimeKeys)
	if err != nil {
		l.t.Fatal(err)
	}
	source := text.Whole("bootstrap", fmt.Sprintf(`node: {id: matchtest, cluster: matchtest}
admin: {address: {pipe: {path: %[1]s/admin}}}
layered_runtime: {layers: [{name: static, static_layer: %[2]s}]}
dynamic_resources: {lds_config: {path_config_source: {path: %[1]s/lds.json}}}
`, dir, runtime))
	if found := text.DecodeInto(b, source); mesh.Worst(found) >= mesh.Error {
		l.t.Fatalf("the bootstrap cannot be read: %v", found)
	}
	b.StaticResources = &bootstrapv3.Bootstrap_StaticResources{}
	for i, port := range l.backends {
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, Cluster(clusterName(i), port))
	}
	return b
}

// ready waits until Envoy serves.
func (p *process) ready() error {
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := p.get("/ready")
		if err == nil && strings.HasPrefix(string(b), "LIVE") {
			return nil
		}
		if p.cmd.ProcessState != nil {
			return errors.New("Envoy ended")
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("Envoy does not get ready: %s %w", b, err)
		}
	}
}

func (p *process) get(path string) ([]byte, error) {
	r, err := p.admin.Get("http://admin" + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

// findRefused asks which listeners Envoy did not take, and why.
func (p *process) findRefused() error {
	b, err := p.get("/config_dump?resource=dynamic_listeners&mask=name,error_state.details,active_state.version_info")
	if err != nil {
		return err
	}
	var dump struct {
		Configs []struct {
			Name        string
			ActiveState *struct{}                 `json:"active_state"`
			ErrorState  *struct{ Details string } `json:"error_state"`
		}
	}
	if err := json.Unmarshal(b, &dump); err != nil {
		return fmt.Errorf("%w: %s", err, b)
	}
	active := 0
	for _, c := range dump.Configs {
		var i int
		if _, err := fmt.Sscanf(c.Name, ListenerName+"-%d", &i); err != nil {
			continue
		}
		if c.ErrorState != nil {
			p.refused[i] = c.ErrorState.Details
		} else if c.ActiveState != nil {
			active++
		}
	}
	if active == 0 {
		stats, _ := p.get("/stats?filter=listener_manager.lds") // for the message alone
		return fmt.Errorf("no listener is active: %s\n%s\n%s", b, stats, p.log)
	}
	return nil
}

// inlined is a case's listener with its routes in it and a name of its own.
func inlined(c Case, i int) *listenerv3.Listener {
	l := proto.Clone(c.Mesh.List(mesh.Listener)[0].Message).(*listenerv3.Listener)
	l.Name = fmt.Sprintf("%s-%d", ListenerName, i)
	for _, chain := range append(l.FilterChains, l.GetDefaultFilterChain()) {
		for _, f := range chain.GetFilters() {
			hcm := &hcmv3.HttpConnectionManager{}
			if f.GetTypedConfig().UnmarshalTo(hcm) != nil || hcm.GetRds() == nil {
				continue
			}
			table := c.Mesh.Get(mesh.Key{Type: mesh.Route, Name: hcm.GetRds().GetRouteConfigName()})
			hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: table.Message.(*routev3.RouteConfiguration)}
			f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(hcm)}
		}
	}
	return l
}

// ask sends a case's requests, one after the other, over as few connections as
// can be.
func (l *lab) ask(c Case) []Observed {
	var out []Observed
	var to line
	defer to.hangUp()
	for _, q := range c.Requests {
		if q.Ask.Source.IsValid() || q.Ask.HTTP2 {
			out = append(out, l.askFrom(c.Options, q))
			continue
		}
		used := to.conn != nil
		o := to.ask(c.Options, q)
		if used && o.Status == 0 {
			o = to.ask(c.Options, q) // an answer before may have ended the connection
		}
		out = append(out, o)
	}
	return out
}

// askFrom sends a request over a connection of its own. One at a time has a
// source port: two could be the same.
func (l *lab) askFrom(o Options, q Request) Observed {
	if q.Ask.Source.Port() != 0 {
		l.sources.Lock()
		defer l.sources.Unlock()
	}
	var to line
	defer to.hangUp()
	return to.ask(o, q)
}

// line is a connection to a data plane, when one is open.
type line struct {
	conn net.Conn
	r    *bufio.Reader
}

func (l *line) hangUp() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

func (l *line) ask(o Options, q Request) Observed {
	if l.conn == nil {
		conn, err := dial(o, q.Ask)
		if err != nil {
			return Observed{Err: err.Error()}
		}
		l.conn, l.r = conn, bufio.NewReader(conn)
	}
	_ = l.conn.SetDeadline(time.Now().Add(10 * time.Second)) // it fails on a closed connection alone, which shows
	if q.Ask.HTTP2 {
		defer l.hangUp()
		return exchange2(l.conn, q)
	}
	seen, reuse := Exchange(l.conn, l.r, q)
	if !reuse {
		l.hangUp()
	}
	return seen
}

// dial opens the connection that a request asks for.
func dial(o Options, q match.Request) (net.Conn, error) {
	to := net.JoinHostPort(o.Address, fmt.Sprint(o.Port))
	if q.Address.IsValid() {
		to = netip.AddrPortFrom(q.Address, uint16(o.Port)).String()
	}
	d := &net.Dialer{Timeout: 10 * time.Second}
	if q.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(q.Source)
	}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		return nil, err
	}
	if q.Source.Port() != 0 {
		_ = conn.(*net.TCPConn).SetLinger(0) // leaves the port free for the next
	}
	if !q.TLS {
		return conn, nil
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	secure := tls.Client(conn, &tls.Config{ServerName: q.SNI, NextProtos: q.ALPN, InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// observe serves the cases with one Envoy and asks all requests; refused says
// which cases Envoy did not take.
func (l *lab) observe(cases []Case) (seen [][]Observed, refused map[int]string, err error) {
	for i := range cases {
		cases[i] = cases[i].At(loopback(i))
	}
	p, err := l.start(cases)
	if err != nil {
		return nil, nil, err
	}
	defer p.stop()
	seen = make([][]Observed, len(cases))
	const askers = 4
	done := make(chan struct{})
	for worker := range askers {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := worker; i < len(cases); i += askers {
				if p.refused[i] == "" {
					seen[i] = l.ask(cases[i])
				}
			}
		}()
	}
	for range askers {
		<-done
	}
	return seen, p.refused, nil
}
