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
// Envoy takes exactly one route configuration, one load assignment and one
// secret from a file that it reads by path_config_source. So these get a file
// each (eds-app.yaml) where there are several, while listeners and clusters
// share lds.yaml and cds.yaml.
//
// Save touches only what changed: other resources, comments between them and
// files keep their bytes.
//
// The requests that are kept of a workspace are a file of it too, but no
// resources: requests.yaml in a folder, shop.requests.yaml beside a shop.yaml.
package files
