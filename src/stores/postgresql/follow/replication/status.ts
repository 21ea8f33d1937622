/** Standby status updates: what a client of a walsender tells of itself. */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { HEADER } from './frames.ts'

const LENGTH = 1 + 8 + 8 + 8 + 8 + 1
/** ms from 1970 to 2000, where PostgreSQL begins to count. */
const EPOCH_MS = 946_684_800_000

export type Status = {
  readonly received: LogPosition
  /** Flushed and applied are the same position here: what is durable in the target. The server may forget what lies before it; 0 tells it nothing. */
  readonly durable: LogPosition
  /** The server is to answer at once. */
  readonly answer: boolean
}

/** The whole message, a CopyData with the update in it. */
export function statusUpdate({ received, durable, answer }: Status): Buffer {
  const message = Buffer.alloc(HEADER + LENGTH)
  message.write('d', 0, 'latin1')
  message.writeUInt32BE(4 + LENGTH, 1)
  message.write('r', HEADER, 'latin1')
  message.writeBigUInt64BE(received, HEADER + 1)
  message.writeBigUInt64BE(durable, HEADER + 9)
  message.writeBigUInt64BE(durable, HEADER + 17)
  message.writeBigInt64BE(BigInt(Date.now() - EPOCH_MS) * 1000n, HEADER + 25)
  message.writeUInt8(answer ? 1 : 0, HEADER + 33)
  return message
}
