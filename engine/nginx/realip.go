package nginx

import (
	xffv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/original_ip_detection/xff/v3"
)

// trusted is the detection of the client behind proxies of known networks, nil
// where there is none or nginx has no words for it.
func (s *site) trusted() *xffv3.XffConfig {
	all := s.manager.GetOriginalIpDetectionExtensions()
	if len(all) != 1 || s.manager.GetUseRemoteAddress().GetValue() || s.port.proxied {
		return nil
	}
	m, ok := unpack(all[0].GetTypedConfig()).(*xffv3.XffConfig)
	if !ok || m.GetXffNumTrustedHops() > 0 || len(m.GetXffTrustedCidrs().GetCidrs()) == 0 {
		return nil
	}
	for _, c := range m.GetXffTrustedCidrs().GetCidrs() {
		if _, ok := prefixOf(c); !ok {
			return nil
		}
	}
	return m
}

// realIP writes which proxies are trusted to say who the client is.
func (p *projection) realIP(s *site) {
	config := s.trusted()
	if config == nil {
		return
	}
	m := exact(s.origin.at("original_ip_detection_extensions[0]")).with(lessonRealIP)
	for _, c := range config.GetXffTrustedCidrs().GetCidrs() {
		network, _ := prefixOf(c)
		p.add(m, "set_real_ip_from %s;", networkText(network))
	}
	p.add(m, "real_ip_header X-Forwarded-For;")
	p.add(m, "real_ip_recursive on;")
}
