package mesh_test

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

func inString(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}

func inBytes(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte(s)}}
}

func inFile(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// everything is all that a Secret can hide, with "HIDE" in each place where there
// is something to hide, and "SHOW" in each where there is not.
func everything(t *testing.T) map[string]proto.Message {
	t.Helper()
	pair := &tlsv3.TlsCertificate{
		CertificateChain: inString("SHOW chain"), PrivateKey: inBytes("HIDE key"), Password: inString("HIDE password"),
		OcspStaple: inString("SHOW staple"),
	}
	secret := &tlsv3.Secret{Name: "SHOW", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: pair}}
	socket := &corev3.TransportSocket{Name: "SHOW", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, &tlsv3.UpstreamTlsContext{
		CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificates: []*tlsv3.TlsCertificate{pair}},
	})}}
	return map[string]proto.Message{
		"a certificate": secret,
		"ticket keys": &tlsv3.Secret{Name: "SHOW", Type: &tlsv3.Secret_SessionTicketKeys{SessionTicketKeys: &tlsv3.TlsSessionTicketKeys{
			Keys: []*corev3.DataSource{inBytes("HIDE 1"), inString("HIDE 2"), inFile("SHOW/path")},
		}}},
		"a generic secret": &tlsv3.Secret{Name: "SHOW", Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
			Secret: inString("HIDE"), Secrets: map[string]*corev3.DataSource{"SHOW": inString("HIDE")},
		}}},
		"within a typed config": &clusterv3.Cluster{Name: "SHOW", TransportSocket: socket},
		"within a response":     &discovery.DiscoveryResponse{VersionInfo: "SHOW", Resources: []*anypb.Any{packed(t, secret)}},
		"within a delta response": &discovery.DeltaDiscoveryResponse{SystemVersionInfo: "SHOW", Resources: []*discovery.Resource{
			{Name: "SHOW", Resource: packed(t, secret)}, {Name: "SHOW none"},
		}},
	}
}

// unpackedText is a message as text, with every Any unpacked.
func unpackedText(m proto.Message) string {
	return prototext.MarshalOptions{Multiline: true}.Format(m)
}

func TestRedacted(t *testing.T) {
	for name, m := range everything(t) {
		t.Run(name, func(t *testing.T) {
			before := unpackedText(m)
			if !strings.Contains(before, "HIDE") {
				t.Fatal("there is nothing to hide")
			}
			got := unpackedText(mesh.Redacted(m))
			if strings.Contains(got, "HIDE") || !strings.Contains(got, "[redacted]") || strings.Count(got, "SHOW") != strings.Count(before, "SHOW") {
				t.Errorf("it became\n%s\nof\n%s", got, before)
			}
			if unpackedText(m) != before {
				t.Error("the message itself was changed")
			}
		})
	}
}

func TestRedactedNothing(t *testing.T) {
	plain := &tlsv3.Secret{Name: "a", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inString("all may see it")}}}
	for _, m := range []proto.Message{
		plain, &tlsv3.Secret{Name: "b", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{PrivateKey: inFile("/tls.key")}}},
		&discovery.DiscoveryResponse{Resources: []*anypb.Any{packed(t, plain), {TypeUrl: "type.googleapis.com/not.linked", Value: []byte{1}}}},
	} {
		if mesh.Redacted(m) != m {
			t.Errorf("%v was copied", m)
		}
	}
	if mesh.Redacted(nil) != nil {
		t.Error("nothing became something")
	}
}
