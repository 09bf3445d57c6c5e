package check

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/engine/mesh"
)

// edsConfig reports clusters whose type and eds_cluster_config disagree.
func edsConfig(c *checker) {
	each(c, func(n node, cl *clusterv3.Cluster) {
		if cl.GetClusterType() != nil {
			return
		}
		isEDS := cl.GetType() == clusterv3.Cluster_EDS
		switch {
		case isEDS && cl.GetEdsClusterConfig().GetEdsConfig() == nil:
			c.report(mesh.Error, n.key, n.at("eds_cluster_config"),
				"an EDS cluster needs eds_cluster_config.eds_config, and Envoy rejects it otherwise",
				"add eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}")
		case !isEDS && cl.GetEdsClusterConfig() != nil:
			c.report(mesh.Error, n.key, n.at("eds_cluster_config"),
				fmt.Sprintf("eds_cluster_config stands in a cluster of type %s, and Envoy rejects that", cl.GetType()),
				"set type: EDS, or remove it")
		}
	})
}

// inlineEndpoints reports clusters whose own endpoints cannot be used.
func inlineEndpoints(c *checker) {
	each(c, func(n node, cl *clusterv3.Cluster) {
		if cl.GetClusterType() != nil {
			return
		}
		count := 0
		for _, l := range cl.GetLoadAssignment().GetEndpoints() {
			count += len(l.GetLbEndpoints())
		}
		if cl.GetType() == clusterv3.Cluster_LOGICAL_DNS && count != 1 {
			c.report(mesh.Error, n.key, n.at("load_assignment"),
				fmt.Sprintf("a LOGICAL_DNS cluster has exactly one endpoint, and this one has %d", count),
				"keep one host name, or set type: STRICT_DNS")
		}
	})
}

// originalDestination reports a load balancer that cannot serve ORIGINAL_DST.
func originalDestination(c *checker) {
	each(c, func(n node, cl *clusterv3.Cluster) {
		if cl.GetClusterType() == nil && cl.GetType() == clusterv3.Cluster_ORIGINAL_DST &&
			cl.GetLbPolicy() != clusterv3.Cluster_CLUSTER_PROVIDED && cl.GetLoadBalancingPolicy() == nil {
			c.report(mesh.Error, n.key, n.at("lb_policy"),
				fmt.Sprintf("lb_policy %s cannot serve a cluster of type ORIGINAL_DST", cl.GetLbPolicy()),
				"set lb_policy: CLUSTER_PROVIDED")
		}
	})
}

// idleHealthCheck notes that a cluster without traffic is checked seldom.
func idleHealthCheck(c *checker) {
	each(c, func(n node, hc *corev3.HealthCheck) {
		if n.key.Type == mesh.Cluster && hc.GetNoTrafficInterval() == nil {
			c.report(mesh.Note, n.key, n.path,
				"until the cluster has had traffic it is checked only every 60 s",
				"set no_traffic_interval as interval, where the dead must be noticed before the first request")
		}
	})
}
