module github.com/seed-d124fa34/socketio/bench

go 1.26

require (
	github.com/coder/websocket v1.8.15
	github.com/seed-d124fa34/socketio v0.0.0
	golang.org/x/sys v0.43.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/stretchr/testify v1.12.1
)

replace github.com/seed-d124fa34/socketio => ../
