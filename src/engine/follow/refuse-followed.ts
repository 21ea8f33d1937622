/** Keeps everybody but a stream's own run from writing into its tables: what they wrote, the stream would not know of. */
import { tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore, LedgerDatabase } from '../../stores/copy-port.ts'
import type { TableKey } from '../copy/ledger/owner.ts'
import { streamsOf } from './ledger/streams.ts'

/** @throws SluiceError TABLE_FOLLOWED where a stream that has not ended writes into one of these tables of the target */
export async function refuseFollowed(
  { changeTarget }: Pick<CopyStore, 'changeTarget'>,
  database: LedgerDatabase,
  keys: readonly TableKey[],
): Promise<void> {
  if (changeTarget === undefined) return
  const each = new Map(keys.map((key) => [JSON.stringify([key.schema, key.name]), key]))
  const [stream] = await streamsOf(database, [...each.values()])
  if (stream === undefined) return
  const names = [...each.values()].map((key) => (key.schema === '' ? key.name : tableText(key)))
  throw new SluiceError(
    'TABLE_FOLLOWED',
    `${names.join(', ')} ${names.length === 1 ? 'belongs' : 'belong'} to stream ${stream.id}`,
    {
      reason: 'rows that are written beside a stream are not known to it',
      hint: `go on with it by sluice follow ${stream.id}, or end it first with sluice follow ${stream.id} --end`,
    },
  )
}
