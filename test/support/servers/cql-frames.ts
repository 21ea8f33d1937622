/** Frames of Cassandra's native protocol 3 and 4, for a proxy that answers some requests instead of the server. */
import type { ClientData, ProxyConnection } from './proxy.ts'

const HEADER_BYTES = 9
const OPCODE_AT = 4
const LENGTH_AT = 5
export const PREPARE = 0x09
export const EXECUTE = 0x0a
export const BATCH = 0x0d

/**
 * A proxy listener that reads whole frames.
 * @param decide returns the answer to the client for a frame that is not forwarded; null forwards it
 */
export function answering(decide: (opcode: number, frame: Buffer) => Buffer | null): ClientData {
  const begun = new Map<number, Buffer>()
  return (data, connection) => {
    let rest = Buffer.concat([begun.get(connection.id) ?? Buffer.alloc(0), data])
    for (let frame = firstOf(rest); frame !== null; frame = firstOf(rest)) {
      rest = rest.subarray(frame.length)
      pass(frame, connection, decide)
    }
    begun.set(connection.id, rest)
    return 'drop'
  }
}

function pass(
  frame: Buffer,
  connection: ProxyConnection,
  decide: (opcode: number, frame: Buffer) => Buffer | null,
): void {
  const answer = decide(frame[OPCODE_AT] ?? 0, frame)
  if (answer === null) connection.send(frame)
  else connection.answer(answer)
}

function firstOf(bytes: Buffer): Buffer | null {
  if (bytes.length < HEADER_BYTES) return null
  const length = HEADER_BYTES + bytes.readUInt32BE(LENGTH_AT)
  return bytes.length < length ? null : bytes.subarray(0, length)
}

/** An ERROR answer to a request. @param code of the protocol, such as 0x1001 for an overloaded node */
export function errorFor(request: Buffer, code: number, message: string): Buffer {
  const text = Buffer.from(message)
  const frame = Buffer.alloc(HEADER_BYTES + 4 + 2 + text.length)
  // The version and stream of the request, with the response bit.
  request.copy(frame, 0, 0, OPCODE_AT)
  frame[0] = (request[0] ?? 0) | 0x80
  frame[1] = 0
  frame[OPCODE_AT] = 0x00
  frame.writeUInt32BE(frame.length - HEADER_BYTES, LENGTH_AT)
  frame.writeInt32BE(code, HEADER_BYTES)
  frame.writeUInt16BE(text.length, HEADER_BYTES + 4)
  text.copy(frame, HEADER_BYTES + 6)
  return frame
}
