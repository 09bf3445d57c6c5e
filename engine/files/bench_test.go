package files

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkOpenFolder10000Endpoints(b *testing.B) {
	var eds strings.Builder
	eds.WriteString("resources:\n- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n  cluster_name: app\n  endpoints:\n  - lb_endpoints:\n")
	for i := range 10_000 {
		fmt.Fprintf(&eds, "    - endpoint: {address: {socket_address: {address: 10.%d.%d.%d, port_value: 80}}}\n", i>>16, i>>8&255, i&255)
	}
	dir := write(b, b.TempDir(), map[string]string{"eds.yaml": eds.String()})
	for b.Loop() {
		if o := open(b, dir); len(o.Problems) > 0 {
			b.Fatal(o.Problems)
		}
	}
}

// sidecarDump is the dump of a sidecar with n clusters, each with its endpoints
// and a virtual host of its own, and listeners with a filter of a type that is
// not known here.
func sidecarDump(n int) string {
	const anyOf = `"@type": "type.googleapis.com/envoy.`
	var clusters, endpoints, hosts, listeners []string
	for i := range n {
		name := fmt.Sprintf("outbound|80||s%d.shop.svc.cluster.local", i)
		clusters = append(clusters, fmt.Sprintf(`    {
     "version_info": "1",
     "cluster": {
      %sconfig.cluster.v3.Cluster",
      "name": %q,
      "type": "EDS",
      "eds_cluster_config": {
       "eds_config": {
        "ads": {},
        "resource_api_version": "V3"
       },
       "service_name": %q
      },
      "connect_timeout": "10s",
      "circuit_breakers": {
       "thresholds": [
        {
         "max_connections": 4294967295,
         "max_requests": 4294967295
        }
       ]
      }
     },
     "last_updated": "2026-11-20T08:12:45.118Z"
    }`, anyOf, name, name))
		endpoints = append(endpoints, fmt.Sprintf(`    {
     "endpoint_config": {
      %sconfig.endpoint.v3.ClusterLoadAssignment",
      "cluster_name": %q,
      "endpoints": [
       {
        "lb_endpoints": [
         {
          "endpoint": {
           "address": {
            "socket_address": {
             "address": "10.0.%d.%d",
             "port_value": 80
            }
           }
          },
          "health_status": "HEALTHY"
         }
        ],
        "load_balancing_weight": 0
       }
      ]
     }
    }`, anyOf, name, i>>8, i&255))
		hosts = append(hosts, fmt.Sprintf(`       {
        "name": "s%d",
        "domains": [
         "s%d.shop.svc.cluster.local",
         "s%d.shop"
        ],
        "routes": [
         {
          "match": {
           "prefix": "/"
          },
          "route": {
           "cluster": %q,
           "timeout": "0s"
          }
         }
        ]
       }`, i, i, i, name))
		if i%10 == 0 {
			listeners = append(listeners, fmt.Sprintf(`    {
     "name": "10.1.%d.%d_80",
     "active_state": {
      "listener": {
       %sconfig.listener.v3.Listener",
       "name": "10.1.%d.%d_80",
       "filter_chains": [
        {
         "filters": [
          {
           "name": "istio.stats",
           "typed_config": {
            "@type": "type.googleapis.com/stats.PluginConfig",
            "x": 1
           }
          },
          {
           "name": "envoy.filters.network.tcp_proxy",
           "typed_config": {
            %sextensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "x",
            "cluster": %q
           }
          }
         ]
        }
       ]
      }
     }
    }`, i>>8, i&255, anyOf, i>>8, i&255, anyOf, name))
		}
	}
	list := func(items []string) string { return "[\n" + strings.Join(items, ",\n") + "\n   ]" }
	return fmt.Sprintf(`{
 "configs": [
  {
   %[1]sadmin.v3.ClustersConfigDump",
   "dynamic_active_clusters": %[2]s
  },
  {
   %[1]sadmin.v3.EndpointsConfigDump",
   "dynamic_endpoint_configs": %[3]s
  },
  {
   %[1]sadmin.v3.ListenersConfigDump",
   "dynamic_listeners": %[4]s
  },
  {
   %[1]sadmin.v3.RoutesConfigDump",
   "dynamic_route_configs": [
    {
     "route_config": {
      %[1]sconfig.route.v3.RouteConfiguration",
      "name": "80",
      "virtual_hosts": %[5]s
     }
    }
   ]
  }
 ]
}
`, anyOf, list(clusters), list(endpoints), list(listeners), list(hosts))
}

func BenchmarkOpenDump(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := write(b, b.TempDir(), map[string]string{"dump.json": sidecarDump(n)})
			b.ReportAllocs()
			for b.Loop() {
				o := open(b, dir+"/dump.json")
				if m := o.Meshes["default"]; len(o.Problems) > 0 || m.Len() != 2*n+n/10+1 {
					b.Fatal(m.Len(), o.Problems)
				}
				b.SetBytes(int64(len(o.files[0].data)))
			}
		})
	}
}
