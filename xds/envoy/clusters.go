package envoy

import (
	"encoding/json"
	"fmt"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// clusterStatus is what /clusters?format=json says of one cluster. Envoy leaves
// out every field that is zero.
type clusterStatus struct {
	Name    string       `json:"name"`
	Service string       `json:"eds_service_name"`
	Hosts   []hostStatus `json:"host_statuses"`
}

// hostStatus is one endpoint in it.
type hostStatus struct {
	Address  hostAddress `json:"address"`
	Stats    []hostStat  `json:"stats"`
	Health   hostHealth  `json:"health_status"`
	Weight   uint32      `json:"weight"`
	Priority uint32      `json:"priority"`
	Locality struct {
		Region  string `json:"region"`
		Zone    string `json:"zone"`
		SubZone string `json:"sub_zone"`
	} `json:"locality"`
}

type hostAddress struct {
	Socket struct {
		Address string `json:"address"`
		Port    uint32 `json:"port_value"`
	} `json:"socket_address"`
	Pipe struct {
		Path string `json:"path"`
	} `json:"pipe"`
	Internal struct {
		Listener string `json:"server_listener_name"`
	} `json:"envoy_internal_address"`
}

type hostStat struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type hostHealth struct {
	EDS            string `json:"eds_health_status"`
	FailedCheck    bool   `json:"failed_active_health_check"`
	CheckTimeout   bool   `json:"active_hc_timeout"`
	PendingCheck   bool   `json:"pending_active_hc"`
	FailedOutlier  bool   `json:"failed_outlier_check"`
	FailedDegraded bool   `json:"failed_active_degraded_check"`
	PendingRemoval bool   `json:"pending_dynamic_removal"`
	Excluded       bool   `json:"excluded_via_immediate_hc_fail"`
}

// readClusters reads the answer of /clusters?format=json.
func readClusters(body []byte) ([]clusterStatus, error) {
	var answer struct {
		Statuses []clusterStatus `json:"cluster_statuses"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("/clusters is not what Envoy writes: %w", err)
	}
	return answer.Statuses, nil
}

// String is the address as Endpoint shows it.
func (a hostAddress) String() string {
	switch {
	case a.Pipe.Path != "":
		return a.Pipe.Path
	case a.Internal.Listener != "":
		return "internal:" + a.Internal.Listener
	}
	return joinHostPort(a.Socket.Address, a.Socket.Port)
}

// proto is the address as EDS writes it.
func (a hostAddress) proto() *corev3.Address {
	switch {
	case a.Pipe.Path != "":
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: a.Pipe.Path}}}
	case a.Internal.Listener != "":
		id := &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: a.Internal.Listener}
		return &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{AddressNameSpecifier: id}}}
	}
	port := &corev3.SocketAddress_PortValue{PortValue: a.Socket.Port}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: a.Socket.Address, PortSpecifier: port}}}
}

// service is the name under which EDS serves the cluster's endpoints.
func (c *clusterStatus) service() string {
	if c.Service != "" {
		return c.Service
	}
	return c.Name
}

// stat is one counter or gauge of the host, 0 when it is left out.
func (h *hostStatus) stat(name string) uint64 {
	for _, s := range h.Stats {
		if s.Name == name {
			n, _ := strconv.ParseUint(s.Value, 10, 64) // "" is zero
			return n
		}
	}
	return 0
}
