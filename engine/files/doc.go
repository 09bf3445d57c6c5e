// Package files opens what an operator has and saves a workspace.
//
// It reads a folder in Envoy's filesystem-xDS form (files of DiscoveryResponses,
// one sub-folder a group when there are several), a single such file, an Envoy
// bootstrap, whose static resources it takes apart into what xDS serves, and the
// config dump of a running Envoy, as curl, istioctl and egctl save it.
// Every resource keeps its own text, comments included, and the place that it
// came from. Of a dump, which is JSON, the text is the same as YAML, and each of
// its lines has the place of the JSON's. What cannot be read becomes a problem with its place and harms
// nothing else; what is changed or left behind becomes a notice.
//
// A bootstrap may have its routes and endpoints in files that its static resources
// name; these are read and watched too. What is known to be absent, since the dump
// is a part, since it comes from another control plane or since it could not be
// read, is what Opened.Known tells the checks.
//
// Within the workspace the config sources of resources say "ads: {}", since
// meshtui serves them; on disk they are path_config_source entries that point
// to the workspace's own files, so that an Envoy can read the folder without us.
// Envoy takes exactly one route configuration, load assignment, secret, extension
// and runtime from a file that it reads by path_config_source. So these get a file
// each (eds-app.yaml) where there are several, while listeners, clusters and scoped
// routes share lds.yaml, cds.yaml and srds.yaml. Two things no file can give to an
// Envoy, and a notice says so: virtual hosts, since VHDS is delta xDS alone
// (vhds.yaml is for meshtui), and the routes of scopes that name several, since all
// of them are asked for at one place. There "ads: {}" stays on disk. A runtime is
// asked for by the bootstrap's rtds_layer, so that nothing in the folder points to
// rtds.yaml.
//
// Save touches only what changed: other resources, comments between them and
// files keep their bytes.
//
// An nginx.conf is opened with all that it includes: package nginx/importer makes
// a mesh of it, each line of which has the place of the directive that it comes
// from, and what is not carried over becomes a notice.
//
// The requests that are kept of a workspace are a file of it too, but no
// resources: requests.yaml in a folder, shop.requests.yaml beside a shop.yaml.
package files
