package envoy

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// askUnready reads what warming listeners wait for, while there are any. Envoy
// does not say it of clusters.
func (p *poller) askUnready(ctx context.Context) error {
	p.unready = nil
	warms := false
	for k, a := range p.active {
		warms = warms || k.Type == mesh.Listener && a.State == Warming
	}
	if !warms {
		return nil
	}
	status, body, err := p.client.get(ctx, "/init_dump")
	if err == nil && status == http.StatusOK {
		p.unready = readUnready(body)
	}
	return err
}

var (
	listenerManager = regexp.MustCompile(`^init manager Listener-local-init-manager (.+) \d+$`)
	initTarget      = regexp.MustCompile(`^(?:shared )?target (?:\S+ )?(\S+) init (.+)$`)
)

// readUnready reads /init_dump: what each listener waits for, in short words
// ("RDS r2") where Envoy's have the usual form. It is nil for what cannot be
// read.
func readUnready(body []byte) map[string][]string {
	var answer struct {
		Dumps []struct {
			Name    string   `json:"name"`
			Targets []string `json:"target_names"`
		} `json:"unready_targets_dumps"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	out := map[string][]string{}
	for _, d := range answer.Dumps {
		m := listenerManager.FindStringSubmatch(d.Name)
		if m == nil {
			continue
		}
		for _, target := range d.Targets {
			if t := initTarget.FindStringSubmatch(strings.TrimSpace(target)); t != nil {
				target = t[1] + " " + t[2]
			}
			out[m[1]] = append(out[m[1]], target)
		}
	}
	return out
}
