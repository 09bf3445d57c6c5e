package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Name is what the proxy calls itself where an Envoy would say "envoy".
const Name = "meshtui built-in proxy"

// page is one path of the interface.
type page struct {
	path, about string
	answer      func(s *State, q query) (*reply, error)
}

// pages are all paths but the help, in the order in which it lists them.
var pages = []page{
	{"/clusters", "upstream cluster status; ?format=json, ?filter=REGEX", clusters},
	{"/config_dump", "what is configured; ?resource=, ?mask=, ?name_regex=, ?include_eds", configDump},
	{"/init_dump", "listeners that still wait for something", initDump},
	{"/listeners", "active listeners; ?format=json", listeners},
	{"/ready", "LIVE, or 503 and PRE_INITIALIZING", ready},
	{"/server_info", "version and node", serverInfo},
	{"/stats", "counters; ?format=json, ?usedonly, ?filter=REGEX, ?type=Counters|Gauges|TextReadouts", stats},
}

// reply is an answer; its status is 200 when it is zero.
type reply struct {
	status int
	json   bool
	body   []byte
}

// refusal is a question that cannot be answered, with its status.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// Handler serves the admin interface. The function is asked for the state at
// each question, and must be safe for any number of goroutines.
func Handler(state func() *State) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "Method Not Allowed: this interface changes nothing", http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == "/" || r.URL.Path == "/help" {
			write(w, &reply{body: []byte("admin commands of the " + Name + " are:\n" + help())})
			return
		}
		for _, p := range pages {
			if p.path == r.URL.Path {
				serve(w, r, p, state)
				return
			}
		}
		write(w, &reply{status: http.StatusNotFound, body: []byte("invalid path. admin commands are:\n" + help())})
	})
}

func serve(w http.ResponseWriter, r *http.Request, p page, state func() *State) {
	q, err := parseQuery(r)
	var out *reply
	if err == nil {
		out, err = p.answer(state(), q)
	}
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		out = &reply{status: refused.status, body: []byte(refused.text + "\n")}
	case err != nil:
		out = &reply{status: http.StatusInternalServerError, body: []byte(err.Error() + "\n")}
	}
	write(w, out)
}

func write(w http.ResponseWriter, r *reply) {
	kind := "text/plain; charset=UTF-8"
	if r.json {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache, max-age=0")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Server", Name)
	w.WriteHeader(max(r.status, http.StatusOK))
	_, _ = w.Write(r.body) // who asked may be gone: nobody else needs to know
}

func help() string {
	var b strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&b, "  %s: %s\n", p.path, p.about)
	}
	return b.String()
}

// query is what a question asks for, beyond its path.
type query struct {
	json, usedOnly, includeEDS bool
	filter, names              *regexp.Regexp // nil takes everything
	resource, kind             string
	mask                       []string
}

func parseQuery(r *http.Request) (query, error) {
	values := r.URL.Query()
	q := query{
		json: values.Get("format") == "json", usedOnly: values.Has("usedonly"), includeEDS: values.Has("include_eds"),
		resource: values.Get("resource"), kind: values.Get("type"),
	}
	if m := values.Get("mask"); m != "" {
		q.mask = strings.Split(m, ",")
	}
	var err error
	if q.filter, err = expression(values.Get("filter")); err != nil {
		return q, err
	}
	q.names, err = expression(values.Get("name_regex"))
	return q, err
}

// expression compiles a parameter; an empty one is none.
func expression(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "Invalid re2 regex: " + err.Error()}
	}
	return re, nil
}

func fits(re *regexp.Regexp, s string) bool { return re == nil || re.MatchString(s) }

// marshal writes a message as Envoy's admin does: the proto's own names, one
// blank of indentation, nothing that is zero.
func marshal(m proto.Message) (*reply, error) {
	return marshalWith(protojson.MarshalOptions{UseProtoNames: true}, m)
}

func marshalWith(o protojson.MarshalOptions, m proto.Message) (*reply, error) {
	compact, err := o.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing the answer: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", " "); err != nil {
		return nil, fmt.Errorf("writing the answer: %w", err)
	}
	out.WriteByte('\n')
	return &reply{json: true, body: out.Bytes()}, nil
}

func ready(s *State, _ query) (*reply, error) {
	if s.Ready {
		return &reply{body: []byte("LIVE\n")}, nil
	}
	return &reply{status: http.StatusServiceUnavailable, body: []byte("PRE_INITIALIZING\n")}, nil
}

// serverInfo has the version in the second of the parts that slashes divide,
// where Envoy has it; the first says that this is no Envoy.
func serverInfo(s *State, _ query) (*reply, error) {
	state := adminv3.ServerInfo_LIVE
	if !s.Ready {
		state = adminv3.ServerInfo_PRE_INITIALIZING
	}
	version := s.Version
	if !strings.Contains(version, "/") {
		version = Name + "/" + version + "/" + runtime.Version()
	}
	full := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true} // LIVE is the zero state
	return marshalWith(full, &adminv3.ServerInfo{
		Version: version, State: state, UptimeCurrentEpoch: uptime(s.Started), UptimeAllEpochs: uptime(s.Started),
		Node: &corev3.Node{Id: s.Node, UserAgentName: Name},
	})
}

// uptime is in whole seconds, as Envoy's; a start that is not known is none.
func uptime(started time.Time) *durationpb.Duration {
	if started.IsZero() {
		return durationpb.New(0)
	}
	return durationpb.New(time.Since(started).Truncate(time.Second))
}
