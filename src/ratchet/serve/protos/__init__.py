"""Messages of the gRPC interface, generated from the .proto files beside them by `make protos`."""
