// What an error says beside its code: google.rpc.Status in the trailing metadata.
import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

const SCHEMA = `
syntax = "proto3";
package google.rpc;
message Any { string type_url = 1; bytes value = 2; }
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message RetryInfo { Duration retry_delay = 1; }
message FieldViolation { string field = 1; string description = 2; }
message BadRequest { repeated FieldViolation field_violations = 1; }
`;
const TYPES = protobuf.parse(SCHEMA).root.lookup("google.rpc");
const RETRIED = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED", "INTERNAL", "UNKNOWN"];

export function explain(error) {
  const details = {};
  const [packed] = error.metadata?.get("grpc-status-details-bin") ?? [];
  for (const { typeUrl: url, value } of packed ? TYPES.Status.decode(packed).details : []) {
    const name = url.split(".").pop();
    details[name] = TYPES[name].toObject(TYPES[name].decode(value), { longs: Number });
  }
  const code = grpc.status[error.code];
  const reason = details.ErrorInfo?.reason;
  return {
    code,
    details: error.details,
    reason,
    metadata: details.ErrorInfo?.metadata,
    field: details.BadRequest?.fieldViolations?.[0].field ?? details.ErrorInfo?.metadata?.field,
    delayMs: details.RetryInfo && 1000 * (details.RetryInfo.retryDelay?.seconds ?? 0),
    retry: RETRIED.includes(code) || (code === "RESOURCE_EXHAUSTED" && reason !== undefined),
  };
}
