package upstream

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// patient is a host that is checked: how it answers, check by check, the last
// answer for ever.
type patient struct {
	name    string
	fields  string // of the health check
	http    string // of the HTTP health check
	answers []int  // a status; 0 is silence, -1 is a closed connection
}

func patients() []patient {
	const two = "unhealthy_threshold: 2, healthy_threshold: 2"
	const one = "unhealthy_threshold: 1, healthy_threshold: 1"
	return []patient{
		{"fine", two, "", []int{200}},
		{"ill", two, "", []int{503}},
		{"silent", two, "", []int{0}},
		{"closing", two, "", []int{-1}},
		{"falls", two, "", []int{200, 200, 503, 503, 503}},
		{"recovers", two, "", []int{503, 503, 200, 200, 200}},
		{"recovers_at_once", one, "", []int{503, 200, 200}},
		{"wavers", two, "", []int{200, 503, 200, 503, 200, 200, 200, 503, 200, 200}},
		{"closes_once", two, "", []int{200, -1, 200, 200}},
		{"closes_twice", two, "", []int{200, -1, -1, 200, 200, 200}},
		{"silent_twice", two, "", []int{200, 0, 0, 200, 200, 200}},
		{"retriable", two, "retriable_statuses: [{start: 500, end: 600}]", []int{200, 503, 200, 503, 503, 200, 503, 200, 200, 200}},
		{"expected", two, "expected_statuses: [{start: 503, end: 504}]", []int{503, 503, 200, 503, 503, 503}},
		{"told", two + ", always_log_health_check_failures: true", "", []int{200, 503, 503, -1, 200, 200, -1, 200}},
	}
}

func (p patient) clusterYAML(address, more string) string {
	return fmt.Sprintf(`name: %s
type: STATIC
connect_timeout: 1s
health_checks:
- {timeout: 0.3s, interval: 0.05s, no_traffic_interval: 0.05s, %s, http_health_check: {path: /health, %s}%s}
load_assignment:
  cluster_name: %s
`, p.name, p.fields, p.http, more, p.name) + endpointsYAML("  ", address)
}

// ward serves the patient's answers; count is of how many checks it has seen.
func (p patient) ward(t *testing.T) (address string, count *atomic.Int64) {
	t.Helper()
	count = &atomic.Int64{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1)) - 1
		switch status := p.answers[min(n, len(p.answers)-1)]; status {
		case 0:
			<-r.Context().Done()
		case -1:
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(status)
		}
	}))
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).String(), count
}

// TestChecksAsEnvoy lets a real Envoy and us check the same patients, and
// compares what each tells of it.
func TestChecksAsEnvoy(t *testing.T) {
	log := filepath.Join(t.TempDir(), "checks.log")
	logger := `, event_logger: [{name: file, typed_config: {"@type": type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink, event_log_path: ` + log + `}}]`
	var clusters []string
	seen := map[string]*atomic.Int64{}
	for _, p := range patients() {
		address, count := p.ward(t)
		seen[p.name] = count
		clusters = append(clusters, p.clusterYAML(address, logger))
	}
	startEnvoyOf(t, nil, clusters)
	for _, p := range patients() {
		t.Run(p.name, func(t *testing.T) {
			enough := int64(len(p.answers) + 3)
			address, count := p.ward(t)
			events := &recorder{}
			c, err := New(clusterOf(t, p.clusterYAML(address, "")), Options{Node: "n", Emit: events.note})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			until(t, "both have checked often enough", func() bool {
				return count.Load() >= enough && seen[p.name].Load() >= enough
			})
			// The log is written a moment later than the check.
			var want, got []string
			until(t, "the log is written", func() bool {
				want, got = toldOf(t, log, p.name), append(got, events.take()...)
				return len(want) >= len(got)
			})
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], " "+p.name+" "+address, "")
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Envoy (-) and we (+) tell:\n%s", d)
			}
		})
	}
}

// toldOf reads the events of one cluster from Envoy's log, in the form of
// recorder.take without names.
func toldOf(t *testing.T, log, cluster string) []string {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		return nil // not there yet
	}
	type details struct {
		Failure string `json:"failure_type"`
		First   bool   `json:"first_check"`
		Status  int    `json:"http_status_code"`
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		var e struct {
			Cluster   string   `json:"cluster_name"`
			Healthy   *details `json:"add_healthy_event"`
			Unhealthy *details `json:"eject_unhealthy_event"`
			Failure   *details `json:"health_check_failure_event"`
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Cluster != cluster {
			continue
		}
		for word, d := range map[string]*details{"healthy": e.Healthy, "unhealthy": e.Unhealthy, "failure": e.Failure} {
			if d == nil {
				continue
			}
			if d.First {
				word += " first"
			}
			switch {
			case d.Failure == "NETWORK_TIMEOUT":
				word += " timeout: no answer in time"
			case d.Failure == "NETWORK":
				word += ": connection refused or cut"
			case d.Status != 0:
				word += fmt.Sprintf(": HTTP %d", d.Status)
			case d.Failure != "":
				word += ": wrong answer"
			}
			out = append(out, word)
		}
	}
	return out
}
