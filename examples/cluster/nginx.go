package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
)

// nginxConfig returns a configuration of nginx for servers with names and
// addresses.
func nginxConfig(addr, sticky string, nodes map[string]string) (string, error) {
	if sticky != "cookie" && sticky != "ip" && sticky != "none" {
		return "", fmt.Errorf("-sticky %s: it is cookie, ip or none", sticky)
	}
	var b strings.Builder
	err := nginxTemplate.Execute(&b, map[string]any{
		"Addr": addr, "Cookie": sticky == "cookie", "IP": sticky == "ip", "Nodes": nodes, "Names": slices.Sorted(maps.Keys(nodes)),
	})
	return b.String(), err
}

// The first request of a client goes to any server, and the answer has a cookie
// that names it. Requests with the cookie go to that server, and to another one
// if it is away. Without cookies, all clients of a network (ip_hash looks at the
// first three numbers of an address) are on one server. With neither, each request
// goes to the next server, and the servers hand requests over to each other.
var nginxTemplate = template.Must(template.New("nginx").Parse(`daemon off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;

    map $http_upgrade $connection_upgrade {
        default upgrade;
        ''      '';
    }
    upstream app {
{{- if .IP}}
        ip_hash;
{{- end}}
{{- range .Nodes}}
        server {{.}};
{{- end}}
    }
{{- if .Cookie}}
{{- range $name, $addr := .Nodes}}
    upstream {{$name}} {
        server {{$addr}};
{{- range $other, $addr := $.Nodes}}{{if ne $other $name}}
        server {{$addr}} backup;
{{- end}}{{end}}
    }
{{- end}}
    map $cookie_node $node {
        default app;
{{- range .Names}}
        {{.}} {{.}};
{{- end}}
    }
    map $upstream_addr $served_by { # the last of those that were tried
{{- range $name, $addr := .Nodes}}
        "~{{$addr}}$" {{$name}};
{{- end}}
    }
{{- end}}
    server {
        listen {{.Addr}};
        location / {
{{- if .Cookie}}
            proxy_pass http://$node;
            add_header Set-Cookie "node=$served_by; Path=/; HttpOnly; SameSite=Lax" always;
{{- else}}
            proxy_pass http://app;
{{- end}}
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_buffering off;
            proxy_read_timeout 75s;
        }
    }
}
`))
