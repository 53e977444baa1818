"""Requests as other tools send them, byte by byte, by their sources: no package registry has them."""

from __future__ import annotations

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"

# otel-cli 0.4.5, `otel-cli exec`, over HTTP (content type application/x-protobuf) and gRPC alike.
OTEL_CLI = bytes.fromhex(
    "0ac3020a1c0a1a0a0c736572766963652e6e616d65120a0a086f74656c2d636c6912f9010a290a206769746875622e636f6d2f65717569"
    "6e69782d6c6162732f6f74656c2d636c691205302e342e3512a2010a100af7651916cd43dd8448eb211c80319c1208b7ad6b7169203331"
    "220800f067aa0ba902b72a096d616b6520746573743003390000ca67a7fc7a1841008d0274a8fc7a184a190a0f70726f636573732e636f"
    "6d6d616e6412060a046d616b654a0d0a07617474656d7074120218024a0b0a05636c65616e120210015a110900ca64a3a7fc7a1812066c"
    "696e6b65647a11120d6578697420737461747573203218021a2768747470733a2f2f6f70656e74656c656d657472792e696f2f73636865"
    "6d61732f312e31372e301a2768747470733a2f2f6f70656e74656c656d657472792e696f2f736368656d61732f312e31372e30"
)

# The same with what otel-cli makes of an all-zero TRACEPARENT: trace id and parent are zero.
OTEL_CLI_ZERO = OTEL_CLI.replace(bytes.fromhex(TRACE), bytes(16)).replace(bytes.fromhex(PARENT), bytes(8))

# tracepusher -tid … -psid … -sid …: names of enums, times in snake_case and as numbers.
TRACEPUSHER = b"""{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue":
"checks"}}]}, "scopeSpans": [{"scope": {"name": "manual-test"}, "spans": [{"traceId":
"0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "link check", "kind": "SPAN_KIND_INTERNAL",
"start_time_unix_nano": 1764000000000000000, "end_time_unix_nano": 1764000002000000000, "droppedAttributesCount": 0,
"attributes": [{"key": "attempts", "value": {"intValue": "3"}}], "events": [{"timeUnixNano": "1764000001000000000",
"name": "retried", "attributes": [{"key": "why", "value": {"stringValue": "503"}}]}], "droppedEventsCount": 0,
"status": {"code": 1}, "parentSpanId": "00f067aa0ba902b7"}]}]}]}"""
