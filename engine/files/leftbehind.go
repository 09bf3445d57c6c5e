package files

import (
	"fmt"
	"sort"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// whyNot says, by field of a bootstrap, why it is not carried over. Fields that
// are not here get whyNotElse.
var whyNot = map[string]string{
	"admin":                          "the admin address belongs to one Envoy's own start, and meshtui gives its Envoys their own",
	"node":                           "the node's id and cluster belong to one Envoy's own start; groups are matched on them",
	"dynamic_resources":              "its Envoy asks another management server or other files there; meshtui takes that place",
	"cluster_manager":                "settings of the cluster manager are read by Envoy at its start only",
	"layered_runtime":                "runtime settings are read by Envoy at its start; give them in the bootstrap that you start it with",
	"overload_manager":               "the overload manager is read by Envoy at its start only",
	"stats_sinks":                    "where statistics go is read by Envoy at its start only",
	"stats_config":                   "how statistics are named is read by Envoy at its start only",
	"stats_flush_interval":           "how often statistics go out is read by Envoy at its start only",
	"tracing":                        "tracing set here is read by Envoy at its start only; set it in the HTTP connection manager to have it served",
	"hds_config":                     "health discovery asks another server",
	"watchdogs":                      "the watchdogs are read by Envoy at its start only",
	"bootstrap_extensions":           "bootstrap extensions are read by Envoy at its start only",
	"default_regex_engine":           "the regex engine is read by Envoy at its start only",
	"typed_dns_resolver_config":      "the DNS resolver of all clusters is read by Envoy at its start only; a cluster can have its own",
	"config_sources":                 "config sources by authority are read by Envoy at its start only",
	"default_config_source":          "the config source of all resources is read by Envoy at its start only",
	"fatal_actions":                  "what is done on a crash is read by Envoy at its start only",
	"enable_dispatcher_stats":        "statistics of the event loop are switched on at Envoy's start only",
	"header_prefix":                  "the prefix of Envoy's own headers is read at its start only",
	"use_tcp_for_dns_lookups":        "how DNS is asked is read by Envoy at its start only",
	"certificate_provider_instances": "certificate providers are read by Envoy at its start only",
}

const whyNotElse = "it is read by Envoy at its start only"

// leftBehind lists the parts of a bootstrap that xDS cannot serve.
func (b *bootstrap) leftBehind(whole *bootstrapv3.Bootstrap) {
	var fields []string
	whole.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if name := string(fd.Name()); name != "static_resources" {
			fields = append(fields, name)
		}
		return true
	})
	type left struct {
		field string
		line  int
	}
	var all []left
	places := text.NewLocator(b.whole.Text)
	for _, name := range fields {
		line, _, _ := places.Position(name)
		all = append(all, left{name, line})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].line < all[j].line })
	for _, l := range all {
		why := whyNot[l.field]
		if why == "" {
			why = whyNotElse
		}
		severity := mesh.Warning
		if l.field == "admin" || l.field == "node" {
			severity = mesh.Note
		}
		b.note(severity, "not-carried", mesh.Key{}, l.field, l.line, fmt.Sprintf("%s is not carried over: %s", l.field, why))
	}
}
