package matchtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

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
