module github.com/seed-d124fa34/socketio/examples/chat

go 1.26.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/seed-d124fa34/socketio v0.0.0
	github.com/stretchr/testify v1.12.1
	go.etcd.io/bbolt v1.5.0
	golang.org/x/crypto v0.58.0
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/google/uuid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/seed-d124fa34/socketio => ../../
