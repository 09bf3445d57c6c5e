package nack

import (
	"fmt"
	"regexp"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/text"
)

// saying is a sentence of Envoy's that is about one field and needs nothing
// worked out but where that field is.
type saying struct {
	where func(s suspect, m []string) []string
	plain string // %s is the value at the field
	why   string
	hint  string
	mend  func(s suspect, path string, m []string) *mending // nil: only the operator knows
}

func (y saying) find(s suspect, m []string) []place {
	var out []place
	now := s.values()
	for _, path := range y.where(s, m) {
		p := place{path: path, plain: y.plain, why: y.why, hint: y.hint}
		if strings.Contains(p.plain, "%s") {
			p.plain = fmt.Sprintf(p.plain, shown(now[path]))
		}
		if y.mend != nil {
			p.mend = y.mend(s, path, m)
		}
		if p.mend == nil {
			p.mend = s.putBack(path)
		}
		if p.hint == "" && p.mend != nil {
			p.hint = p.mend.says
		}
		out = append(out, p)
	}
	return out
}

// rule is the saying with what it sounds like.
func (y saying) rule(words string) rule { return rule{regexp.MustCompile(words), y.find} }

// field is a field of each message of a kind that has it set.
func field(message, name string) func(suspect, []string) []string {
	return where(message, name, func(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool { return m.Has(fd) })
}

// always is a field of each message of a kind, set or not.
func always(message, name string) func(suspect, []string) []string {
	return where(message, name, func(protoreflect.Message, protoreflect.FieldDescriptor) bool { return true })
}

func where(message, name string, fits func(protoreflect.Message, protoreflect.FieldDescriptor) bool) func(suspect, []string) []string {
	return func(s suspect, _ []string) []string {
		var out []string
		walk("", s.Message.ProtoReflect(), func(path string, m proto.Message) {
			if !isCalled(m, message) {
				return
			}
			r := m.ProtoReflect()
			if fd := r.Descriptor().Fields().ByName(protoreflect.Name(name)); fd != nil && fits(r, fd) {
				out = append(out, text.Field(path, name))
			}
		})
		return out
	}
}

// valued is every field whose value fits the words; %s in the pattern is what the
// words quote.
func valued(pattern string) func(suspect, []string) []string {
	return func(s suspect, m []string) []string {
		fits, err := regexp.Compile(strings.ReplaceAll(pattern, "%s", regexp.QuoteMeta(m[1])))
		if err != nil {
			return nil
		}
		var out []string
		values(s.Resource, func(path, value string) {
			if fits.MatchString(value) {
				out = append(out, path)
			}
		})
		return out
	}
}

// to sets a field to a value.
func to(value any) func(suspect, string, []string) *mending {
	return func(_ suspect, path string, _ []string) *mending {
		return set(fmt.Sprintf("set %s to %v", lastStep(path), value), path, value)
	}
}

// dropped takes a field or an item out.
func dropped(_ suspect, path string, _ []string) *mending {
	return remove("delete "+lastStep(path), path)
}

// sayings are told after the rules.
var sayings = []rule{
	saying{where: always("Cluster", "lb_policy"), plain: "A cluster of this kind balances by itself, and lb_policy does not say so.",
		why: "an aggregate, a forward proxy or an ORIGINAL_DST cluster chooses the endpoint itself", mend: to("CLUSTER_PROVIDED"),
	}.rule(`cluster provided LB not specified|Only 'CLUSTER_PROVIDED' is allowed`),
	saying{where: field("Cluster", "lb_policy"), plain: "lb_policy is %s, and a cluster of this type brings no load balancing of its own.",
		mend: func(s suspect, path string, _ []string) *mending {
			if m := s.putBack(path); m != nil {
				return m
			}
			return to("ROUND_ROBIN")(s, path, nil)
		}}.rule(`cluster provided LB specified`),
	saying{where: field("Cluster", "load_assignment"), plain: "An ORIGINAL_DST cluster has no endpoints of its own.",
		why: "it sends each connection to where it was going", mend: dropped}.rule(`ORIGINAL_DST clusters must have no load assignment`),
	saying{where: field("Cluster", "load_assignment"), plain: "A LOGICAL_DNS cluster has exactly one endpoint, and this one has another number.",
		why:  "LOGICAL_DNS connects to one address at a time of those that a name has; STRICT_DNS balances over all of them",
		hint: "leave one endpoint, or make the cluster STRICT_DNS",
		mend: func(suspect, string, []string) *mending { return set("set type to STRICT_DNS", "type", "STRICT_DNS") },
	}.rule(`LOGICAL_DNS clusters must have a single`),
	saying{where: field("MaglevLbConfig", "table_size"), plain: "table_size is %s, which is no prime number.",
		why: "Maglev's permutations only reach every slot of a table whose size is prime",
		mend: func(s suspect, path string, _ []string) *mending {
			return to(nextPrime(atoi(s.values()[path])))(s, path, nil)
		}}.rule(`table size of maglev must be prime`),
	saying{where: field("RingHashLbConfig", "minimum_ring_size"), plain: "minimum_ring_size is %s and more than maximum_ring_size.",
		mend: func(s suspect, path string, m []string) *mending { return to(atoi(m[2]))(s, path, nil) },
	}.rule(`minimum_ring_size \((\d+)\) > maximum_ring_size \((\d+)\)`),
	{regexp.MustCompile(`health check at index (\d+) is missing a name`), namelessChecks},
	saying{where: field("HttpHealthCheck", "expected_statuses"), plain: "A range of expected statuses ends before it begins.",
		why: "a range takes start in and leaves end out", hint: "write start below end"}.rule(`Invalid http expected status range`),
	saying{where: always("LbEndpoint", "endpoint"), plain: "An endpoint has no address.",
		hint: "add address: {socket_address: {address: …, port_value: …}}"}.rule(`^Address must be set`),
	saying{where: field("SocketAddress", "named_port"), plain: "The port has a name (%s) where it needs a number.",
		why: "Envoy looks no names of ports up", hint: "write port_value and the number"}.rule(`IP resolver can't handle port specifier`),

	saying{where: inlineOf("tls_certificates", "tls_certificate"), plain: "What stands here is no certificate with its private key in PEM that fit each other.",
		why: "Envoy loads both as it takes the resource", hint: "put both in, in PEM: -----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----"}.rule(
		`Failed to load (?:incomplete )?(?:certificate chain|private key)|[Kk]ey values mismatch`),
	saying{where: inlineOf("trusted_ca"), plain: "What stands here is no certificate of an authority in PEM.",
		hint: "put in the authority's certificate, in PEM"}.rule(`Failed to load trusted CA certificates from`),
	saying{where: always("DownstreamTlsContext", "common_tls_context"), plain: "TLS is to be spoken here, and there is no certificate for it.",
		hint: "add tls_certificates or tls_certificate_sds_secret_configs"}.rule(`No TLS certificates found for server context`),
	saying{where: valued(`^[^*]+\*|\*[^.]`), plain: "%s has a star in the middle of a name.",
		why: "server_names take whole labels: *.example.com", hint: "write the star for a whole label at the beginning"}.rule(`partial wildcards are not supported in "server_names()"`),

	saying{where: forbiddenHeaders, plain: "The header %s cannot be changed like this.",
		why: "headers that begin with a colon, and host, are where the request goes", mend: dropHeader,
		hint: "for the path use prefix_rewrite, for the host host_rewrite_literal; else delete the entry"}.rule(`:-prefixed or host headers may not be`),
	saying{where: valued(`%%s\b`), plain: "%s holds a command that Envoy does not know.",
		why: "between percent signs stands a command of the access log's language; a percent sign itself is written %%", hint: "correct the command"}.rule(
		`Not supported field in StreamInfo: (\w+)`),
	saying{where: valued(`^%s$`), plain: "%s has a percent sign that begins no command.",
		why: "a percent sign begins a command such as %REQ(x)%; the sign itself is written twice", mend: doublePercent}.rule(
		`Incorrect configuration: (.*)\. Couldn't find valid command`),
	saying{where: field("DirectResponseAction", "body"), plain: "The body is longer than a direct response may be.",
		why: "it is kept in memory once for each route", mend: longerBodies}.rule(`response body size is (\d+) bytes; maximum is (\d+)`),
	{regexp.MustCompile(`Duplicate upgrade (\S+)|multiple upgrade configs with the same name: '([^']*)'`), duplicateUpgrade},
	{regexp.MustCompile(`Exactly one of cluster or cluster_header in request mirror policy`), namelessMirror},
	{regexp.MustCompile(`At least one of name or cluster_header need`), namelessShare},
	saying{where: field("RetryBackOff", "max_interval"), plain: "max_interval is %s and less than base_interval.",
		why: "the pause before a retry begins at base_interval and grows to max_interval", mend: tenfold}.rule(`max_interval must (?:be )?greater than or equal to the base_interval`),
	saying{where: valued(`^%s$`), plain: "%s is no path template.", hint: "a variable is {name} or {name=pattern}"}.rule(`path_template (\S+) is invalid`),
	saying{where: valued(`^%s$`), plain: "There is no cluster specifier plugin called %s.",
		hint: "add it to cluster_specifier_plugins of the route configuration"}.rule(`Unknown cluster specifier plugin name: (\S+)`),
	saying{where: always("TypedExtensionConfig", "typed_config"), plain: "The configuration is of another type than the listener's filter asks for.",
		why: "config_discovery lists in type_urls what may come", hint: "correct the @type, or add it to the listener's type_urls"}.rule(`filter config has type URL \S+ but expect`),
	saying{where: always("TokenBucket", "fill_interval"), plain: "fill_interval is %s, and Envoy fills a bucket every 50ms at most.",
		mend: to("0.05s")}.rule(`token bucket fill timer must be >= 50ms`),
	saying{where: secondScope, plain: "Another scoped route has the same key.",
		why: "a key leads to one scope", hint: "give one of them another key, or delete it"}.rule(`scope key conflict found, first scope is '([^']*)', second scope is '([^']*)'`),
	saying{where: always("ScopedRouteConfiguration", "route_configuration_name"), plain: "The scoped route does not say which routes it means.",
		hint: "write the name of a route configuration", mend: onlyRoutes}.rule(`route_configuration_name is empty`),
	saying{where: field("RouteConfiguration", "vhds"), plain: "vhds needs a node that speaks delta xDS.",
		why: "virtual hosts are asked for one by one, which state-of-the-world cannot", hint: "start the node with api_type DELTA_GRPC, or put the virtual hosts into the route configuration",
	}.rule(`must use DELTA_GRPC api_type when used as VHDS`),
}

func secondScope(s suspect, m []string) []string {
	if s.Key.Name != m[2] {
		return nil
	}
	return []string{"key"}
}

func nextPrime(n int) int {
	const largest = 5_000_011 // Envoy's own limit
	for n = max(n, 2); n < largest; n++ {
		prime := true
		for d := 2; d*d <= n && prime; d++ {
			prime = n%d != 0
		}
		if prime {
			return n
		}
	}
	return largest
}

func namelessChecks(s suspect, m []string) []place {
	c, ok := s.Message.(*clusterv3.Cluster)
	if !ok {
		return nil
	}
	says := "name the health checks check-1, check-2 and so on"
	return []place{{path: text.Item("health_checks", atoi(m[1])), plain: "There are several health checks, and not all have a name.",
		why: "with several, a name tells their results apart", hint: says,
		mend: &mending{says, func(in string) (string, error) {
			return edits(in, len(c.GetHealthChecks()), func(in string, i int) (string, error) {
				at := text.Item("health_checks", i) + ".name"
				if name, ok := text.Scalar(in, at); ok && name != "" {
					return in, nil
				}
				return text.Set(in, at, fmt.Sprintf("check-%d", i+1))
			})
		}}}}
}

// inlineOf lists what holds a certificate: fields of these names.
func inlineOf(names ...string) func(suspect, []string) []string {
	return func(s suspect, _ []string) []string {
		var out []string
		walk("", s.Message.ProtoReflect(), func(path string, m proto.Message) {
			for _, name := range names {
				if field, _, _ := strings.Cut(lastStep(path), "["); field == name && string(m.ProtoReflect().Descriptor().Name()) != "SdsSecretConfig" {
					out = append(out, path)
				}
			}
		})
		return out
	}
}

func isForbidden(header string) bool {
	return strings.HasPrefix(header, ":") || strings.EqualFold(header, "host")
}

// forbiddenHeaders are the entries that change or remove headers which cannot be.
func forbiddenHeaders(s suspect, _ []string) []string {
	var out []string
	values(s.Resource, func(path, value string) {
		list := strings.Contains(path, "_headers_to_remove[") || strings.Contains(path, "_headers_to_add[") && strings.HasSuffix(path, ".header.key")
		if list && isForbidden(value) {
			out = append(out, path)
		}
	})
	return out
}

// dropHeader takes the entry of a list out that a path is in.
func dropHeader(s suspect, path string, _ []string) *mending {
	item := strings.TrimSuffix(path, ".header.key")
	return remove("delete the entry of "+shown(s.values()[path]), item)
}

func doublePercent(s suspect, path string, _ []string) *mending {
	value := s.values()[path]
	if strings.Count(value, "%") != 1 || secret(path) {
		return nil
	}
	fixed := strings.Replace(value, "%", "%%", 1)
	return set("write "+shown(fixed), path, fixed)
}

// longerBodies allows direct responses of the length that one has.
func longerBodies(s suspect, path string, m []string) *mending {
	table, ok := "", false
	each(s.Resource, func(at string, _ *routev3.RouteConfiguration) {
		if below(path, at) {
			table, ok = at, true
		}
	})
	if !ok {
		return nil
	}
	return set("allow bodies of "+m[1]+" bytes", text.Field(table, "max_direct_response_body_size_bytes"), atoi(m[1]))
}

func duplicateUpgrade(s suspect, m []string) []place {
	kind := m[1] + m[2]
	seen := map[string]bool{}
	var out []place
	values(s.Resource, func(path, value string) {
		item := text.Parent(path)
		if lastStep(path) != "upgrade_type" || !strings.EqualFold(value, kind) {
			return
		}
		if list := text.Parent(item); seen[list] {
			says := "delete the second entry of " + kind
			out = append(out, place{path: item, plain: fmt.Sprintf("The upgrade %s is there twice.", kind), hint: says, mend: remove(says, item)})
		}
		seen[text.Parent(item)] = true
	})
	return out
}

func namelessMirror(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, p *routev3.RouteAction_RequestMirrorPolicy) {
		if (p.GetCluster() == "") == (p.GetClusterHeader() == "") {
			out = append(out, place{path: path, plain: "The mirror does not name one cluster: either cluster or cluster_header is needed.",
				hint: "write the cluster that is to get a copy of each request, or take the mirror out"})
		}
	})
	return out
}

func namelessShare(s suspect, _ []string) []place {
	var out []place
	each(s.Resource, func(path string, c *routev3.WeightedCluster_ClusterWeight) {
		if c.GetName() == "" && c.GetClusterHeader() == "" {
			out = append(out, place{path: path, plain: "A share of the requests goes to no cluster: its name is missing.", hint: "write the name of a cluster"})
		}
	})
	return out
}

// tenfold sets max_interval to ten times base_interval, as Envoy does by itself.
func tenfold(s suspect, path string, _ []string) *mending {
	base := parseDuration(s.values()[text.Field(text.Parent(path), "base_interval")])
	if base <= 0 {
		return nil
	}
	return set("set max_interval to "+seconds(10*base), path, 10*base)
}

func onlyRoutes(s suspect, path string, _ []string) *mending {
	name := s.onlyRoute()
	if name == "" {
		return nil
	}
	return set("take the routes "+name, path, name)
}
