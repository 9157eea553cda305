module github.com/seed-d124fa34/socketio/parsers/msgpack

go 1.26

ignore node_modules

require (
	github.com/seed-d124fa34/socketio v0.0.0
	github.com/stretchr/testify v1.12.1
	github.com/vmihailenco/msgpack/v5 v5.4.1
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/seed-d124fa34/socketio => ../../
