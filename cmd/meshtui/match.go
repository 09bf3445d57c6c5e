package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/kept"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
)

// matchFlags describe one request, and how the answer is printed.
type matchFlags struct {
	method, host, path string
	listener           string
	address, source    string
	port               uint16
	headers            []string
	tls                bool
	sni                string
	alpn               []string
	random             uint64
	group              string
	all, json          bool
}

func newMatch() *cobra.Command {
	var f matchFlags
	cmd := &cobra.Command{
		Use:   "match PATH (--host H --path P | --all)",
		Short: "Say which route takes a request, and why not the other ones",
		Long: `Say which way a request takes through what lies at PATH (a filesystem-xDS folder,
an Envoy bootstrap, a config dump or an nginx.conf): listener, filter chain, virtual host,
route, cluster, what is sent upstream, and why every other route lost. No Envoy
is needed. Of an nginx.conf it also says what nginx itself does with the request.

With --all the requests that were kept beside PATH are asked, each against what
it is expected to find; of the other flags only --group and --json go with it.

Exit status: 0 answered, and with --all as expected; 1 some kept request differs,
or a part of PATH could not be read, so that the answer rests on the rest; 2 it
could not be run.`,
		Example: `  meshtui match mesh/ --host www.example.com --path /foo
  meshtui match dump.json --port 8080 --host reviews --path / --header 'x-user: jason' --json
  meshtui match mesh/ --all`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if f.all {
				return matchAll(cmd, a[0], f)
			}
			return matchOne(cmd, a[0], f)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.host, "host", "", "the Host, or :authority, as the client sends it")
	fs.StringVar(&f.path, "path", "", "the path with its query")
	fs.Uint16Var(&f.port, "port", 0, "the port that the client connects to (default: the only listener's, else the one in the Host)")
	fs.StringVar(&f.address, "address", "", "the IP address that it connects to")
	fs.StringVar(&f.listener, "listener", "", "the listener's name, in place of address and port")
	fs.StringVar(&f.method, "method", "GET", "the method")
	fs.StringArrayVar(&f.headers, "header", nil, "a header as KEY:VALUE; may be repeated")
	fs.StringVar(&f.source, "source", "", "the client's address: IP or IP:PORT (default 127.0.0.1)")
	fs.BoolVar(&f.tls, "tls", false, "the client speaks TLS")
	fs.StringVar(&f.sni, "sni", "", "the server name in its ClientHello; means --tls")
	fs.StringSliceVar(&f.alpn, "alpn", nil, "the protocols that it offers there, such as h2,http/1.1; means --tls")
	fs.Uint64Var(&f.random, "random", 0, "the random value that Envoy would draw: decides weights and fractions")
	fs.StringVar(&f.group, "group", mesh.DefaultGroup, "whose mesh is asked, where there are several groups (with --all: of every group, unless one is named)")
	fs.BoolVar(&f.all, "all", false, "ask every kept request")
	fs.BoolVar(&f.json, "json", false, "print JSON: one object a request")
	return cmd
}

// request is what the flags describe.
func (f matchFlags) request(cmd *cobra.Command) (match.Request, error) {
	r := match.Request{Method: f.method, Host: f.host, Path: f.path, Listener: f.listener, Port: uint32(f.port),
		TLS: f.tls || f.sni != "" || len(f.alpn) > 0, SNI: f.sni, ALPN: f.alpn}
	if cmd.Flags().Changed("random") {
		r.Random = &f.random
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return r, fmt.Errorf("--header %q: write it as KEY:VALUE", h)
		}
		r.Headers = append(r.Headers, routes.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	var err error
	if f.address != "" {
		if r.Address, err = netip.ParseAddr(f.address); err != nil {
			return r, fmt.Errorf("--address %q: write an IP address", f.address)
		}
	}
	if r.Source, err = parseSource(f.source); err != nil {
		return r, err
	}
	return r, nil
}

// parseSource reads an IP, or an IP with a port; "" is the zero value.
func parseSource(s string) (netip.AddrPort, error) {
	if s == "" {
		return netip.AddrPort{}, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, 0), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return ap, fmt.Errorf("--source %q: write an IP address, or IP:PORT", s)
	}
	return ap, nil
}

// matchOne asks the one request that the flags describe.
func matchOne(cmd *cobra.Command, path string, f matchFlags) error {
	if !cmd.Flags().Changed("host") || !cmd.Flags().Changed("path") {
		return usageError(errors.New("say which request: --host and --path, or --all for the kept ones"))
	}
	r, err := f.request(cmd)
	if err != nil {
		return usageError(err)
	}
	m, known, unread, err := openMesh(path, f.group, cmd.ErrOrStderr())
	if err != nil {
		return &exitError{status: 2, err: err}
	}
	e := match.New(m).Explain(&r)
	elsewhere(&e, m, known)
	e.Caveats = append(unread, e.Caveats...)
	at := newPlaces(m)
	at.known = known
	if f.json {
		report := reportOf(e, at)
		report.Nginx = nginxReport(inNginx(path, r))
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		said := explained(r, e, at)
		if a := inNginx(path, r); a != nil {
			said += foretold(a)
		}
		_, err = io.WriteString(cmd.OutOrStdout(), said)
	}
	switch {
	case err != nil:
		return &exitError{status: 2, err: err}
	case len(unread) > 0:
		return &exitError{status: 1}
	}
	return nil
}

// openMesh opens what lies at path and returns the group's mesh, and what is
// known of what is not in it. What is wrong there is said on errOut, and what
// could not be read is a caveat of each answer: it rests on the rest.
func openMesh(path, group string, errOut io.Writer) (m *mesh.Mesh, known files.Known, unread []string, err error) {
	opened, err := files.Open(path)
	if err != nil {
		return nil, known, nil, err
	}
	for _, p := range opened.Problems {
		fmt.Fprintln(errOut, "meshtui: "+p.String())
		if p.Severity == mesh.Error {
			unread = append(unread, "a part of the mesh could not be read, and the answer is without it: "+p.String())
		}
	}
	m, ok := opened.Meshes[group]
	if !ok {
		return nil, known, nil, noGroup(path, group, opened.Meshes)
	}
	return m, opened.Known(group), unread, nil
}

// noGroup says that a path has no such group, and which it has.
func noGroup(path, group string, meshes map[string]*mesh.Mesh) error {
	return fmt.Errorf("group %s: %s has the groups %s", group, path, strings.Join(sortedGroups(meshes), ", "))
}

// requestFlags describe the one request that is asked without --all.
var requestFlags = [...]string{"host", "path", "port", "address", "listener", "method", "header", "source", "tls", "sni", "alpn", "random"}

// beyondAll refuses the flags that describe a request beside --all, which would
// not be heeded.
func beyondAll(cmd *cobra.Command) error {
	for _, name := range requestFlags {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--all asks the kept requests as they stand in their file: leave out --%s, or --all", name)
		}
	}
	return nil
}

// matchAll asks every kept request and compares with what is expected.
func matchAll(cmd *cobra.Command, path string, f matchFlags) error {
	if err := beyondAll(cmd); err != nil {
		return usageError(err)
	}
	only := ""
	if cmd.Flags().Changed("group") {
		only = f.group
	}
	results, err := askKept(path, only, cmd.ErrOrStderr())
	if err != nil {
		return &exitError{status: 2, err: err}
	}
	differ := 0
	for _, r := range results {
		if len(r.Differs) > 0 {
			differ++
		}
		if err := printResult(cmd.OutOrStdout(), r, f.json); err != nil {
			return &exitError{status: 2, err: err}
		}
	}
	if !f.json {
		fmt.Fprintf(cmd.OutOrStdout(), "%d kept, %d as expected, %d not\n", len(results), len(results)-differ, differ)
	}
	if differ > 0 {
		return &exitError{status: 1}
	}
	return nil
}

// askKept runs the kept requests of a workspace, each in its group, or those of
// one group only; "" is all of them. No kept request at all is an error: a test of
// nothing proves nothing.
func askKept(path, only string, errOut io.Writer) ([]kept.Result, error) {
	opened, err := openWhole(path)
	if err != nil {
		return nil, err
	}
	file, asks, problems, err := files.OpenKept(path)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		if p.Severity == mesh.Error {
			return nil, errors.New(p.String())
		}
		fmt.Fprintln(errOut, "meshtui: "+p.String())
	}
	if len(asks) == 0 {
		return nil, fmt.Errorf("no request is kept in %s: keep one on the screen (t, then keep), or write the file", file)
	}
	if only != "" {
		if opened.Meshes[only] == nil {
			return nil, noGroup(path, only, opened.Meshes)
		}
		if asks = inGroup(asks, only); len(asks) == 0 {
			return nil, fmt.Errorf("no request is kept for group %s in %s", only, file)
		}
	}
	return runKept(path, opened.Meshes, asks), nil
}

// runKept asks each request of its group's mesh, in the order of their file.
func runKept(path string, meshes map[string]*mesh.Mesh, asks []kept.Request) []kept.Result {
	matchers := map[string]*match.Matcher{}
	var out []kept.Result
	for _, ask := range asks {
		group := cmp.Or(ask.Group, mesh.DefaultGroup)
		m, there := meshes[group]
		if !there {
			out = append(out, kept.Result{Request: ask, Differs: []string{noGroup(path, group, meshes).Error()}})
			continue
		}
		if matchers[group] == nil {
			matchers[group] = match.New(m)
		}
		out = append(out, kept.Run(matchers[group], []kept.Request{ask})...)
	}
	return out
}

// inGroup are the requests that are asked of a group's mesh.
func inGroup(asks []kept.Request, group string) []kept.Request {
	return slices.DeleteFunc(slices.Clone(asks), func(r kept.Request) bool { return !r.Of(group) })
}

// resultJSON is one kept request as `match --all --json` prints it.
type resultJSON struct {
	Name    string   `json:"name"`
	OK      bool     `json:"ok"`
	Differs []string `json:"differs"`
	wayJSON
}

func printResult(out io.Writer, r kept.Result, asJSON bool) error {
	if asJSON {
		return printJSON(out, resultJSON{Name: r.Request.Name, OK: len(r.Differs) == 0, Differs: orEmpty(r.Differs),
			wayJSON: wayOf(r.Way)})
	}
	if len(r.Differs) == 0 {
		_, err := fmt.Fprintf(out, "ok    %s: %s\n", r.Request.Name, r.Way.Target())
		return err
	}
	_, err := fmt.Fprintf(out, "FAIL  %s: %s\n", r.Request.Name, strings.Join(r.Differs, "; "))
	return err
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
